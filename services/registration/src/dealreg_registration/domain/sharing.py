"""What follows for co-holders, by a co-sell ruling, when what they share changes hands."""

from datetime import datetime

from dealreg_registration.domain.account import Account, Claim


def share_with(account: Account, former: Claim, holder: Claim, at: datetime) -> None:
    """Who shared what ``former`` held shares it with ``holder``, which has it from now on."""
    for claim in list(account.claims.values()):
        if claim.co_holds == former.id and claim.live and claim.id != holder.id:
            account.move(claim, "lead_changed", at, co_holds=holder.id)

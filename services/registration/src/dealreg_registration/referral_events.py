"""From what happens to referrals to the events that tell others."""

from collections.abc import Sequence

from dealreg_registration.domain.account import Account
from dealreg_registration.domain.referral import ReferralMoved
from dealreg_shared.contracts import referral as contract
from dealreg_shared.contracts.base import EventData, Market
from dealreg_shared.contracts.registration import ClaimDecided, ReferralTarget

Emitted = tuple[str, str, EventData]


def referral_moved(
    account: Account, entry: ReferralMoved, decided: Sequence[ClaimDecided]
) -> Emitted:
    """Type, subject and data. ``decided`` is what became of the referrer's claim by it."""
    first = entry.referrals[0]
    registration = account.registrations[first.registration_id]
    fact = {
        "registration_id": registration.id,
        "partner_id": registration.partner_id,
        "account_id": account.id,
        "account_name": registration.account_name,
        "market": Market(region=registration.market_region, segment=registration.market_segment),
        "plan_number": first.plan_number,
        "target": ReferralTarget(kind=first.target_kind, id=first.target_id),
        "lines": tuple(
            contract.ReferralLine(
                referral_id=it.id, claim_id=it.claim_id, product_line=it.product_line
            )
            for it in entry.referrals
        ),
    }
    data: EventData
    match entry.step:
        case "offered":
            data = contract.ReferralOffered.model_validate(
                fact | {"offered_at": entry.at, "due_at": first.due_at}
            )
        case "accepted":
            data = contract.ReferralAccepted.model_validate(
                fact
                | {
                    "accepted_at": entry.at,
                    "taken_registration_id": first.taken_registration_id,
                    "consented": first.consent_at is not None,
                }
            )
        case "consented":
            data = contract.ReferralConsented.model_validate(fact | {"consented_at": entry.at})
        case "ended":
            data = contract.ReferralEnded.model_validate(fact | {"ended_at": entry.at})
        case _:
            data = contract.ReferralReturned.model_validate(
                fact | {"returned_at": entry.at, "claims": tuple(decided)}
            )
    return f"dealreg.referral.{entry.step}.v1", first.id, data

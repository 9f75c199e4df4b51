"""Protections that end by themselves: their term is over, or their partner is suspended."""

from collections.abc import Iterator
from datetime import datetime

from dealreg_registration.domain.account import Account, Claim
from dealreg_registration.domain.due import Due, Timeline
from dealreg_registration.domain.freed import after_end

SUSPENDED_RANK = 0
TERM_RANK = 1


def terms_over(account: Account, _timeline: Timeline) -> Iterator[Due]:
    """Every protection ends when its window does: [start, end)."""
    for claim in account.claims.values():
        if claim.holds and claim.protected_until is not None:
            yield Due(claim.protected_until, claim, TERM_RANK, _expire)


def releases(account: Account, timeline: Timeline) -> Iterator[Due]:
    """A suspended partner's protections end after its notice, unless their term does by then."""
    for claim in account.claims.values():
        if not claim.holds or claim.protected_from is None or claim.protected_until is None:
            continue
        release = timeline.standing.releases(
            claim.partner_id, claim.protected_from, claim.protected_until
        )
        if release is not None and release < claim.protected_until:
            yield Due(release, claim, SUSPENDED_RANK, _release)


def _expire(account: Account, claim: Claim, timeline: Timeline, at: datetime) -> None:
    account.move(claim, "term_over", at, state="expired", ended_at=at)
    after_end(account, timeline.book, timeline.standing, claim.product_line, at)


def _release(account: Account, claim: Claim, timeline: Timeline, at: datetime) -> None:
    account.move(claim, "partner_suspended", at, state="revoked", ended_at=at)
    after_end(account, timeline.book, timeline.standing, claim.product_line, at)

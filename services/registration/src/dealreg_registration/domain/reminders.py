"""What a partner is told ahead of time: its protection ends, or nothing was heard of its deal.

The days are those of the plan under which the protection was granted: running terms are stamped. What
was told is written on the claim, so nothing is told twice, whoever settles when.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from dealreg_registration.domain.account import Account, Claim
from dealreg_registration.domain.due import Due, Timeline
from dealreg_registration.domain.freed import after_end

IDLE_RANK = 4
EXPIRING_RANK = 5


def expiring(account: Account, timeline: Timeline) -> Iterator[Due]:
    """The next reminder of each protection's end; a new end after an extension has new ones."""
    for claim in account.claims.values():
        if not claim.holds or claim.protected_from is None or claim.protected_until is None:
            continue
        if (plan := timeline.book.numbered(claim.plan_number)) is None:
            continue
        told = claim.flags.reminded_at or claim.protected_from
        instants = (
            claim.protected_until - timedelta(days=days) for days in plan.policy.expiring_days
        )
        following = min((instant for instant in instants if instant > told), default=None)
        if following is not None:
            yield Due(following, claim, EXPIRING_RANK, _remind)


def idle(account: Account, timeline: Timeline) -> Iterator[Due]:
    """No update for the plan's days: first a warning, then, after its notice, the release."""
    for claim in account.claims.values():
        if not claim.holds or claim.protected_from is None:
            continue
        plan = timeline.book.numbered(claim.plan_number)
        if plan is None or (days := plan.policy.activity_days) is None:
            continue
        if (release := claim.flags.idle_release_at) is not None:
            yield Due(release, claim, IDLE_RANK, _release)
        else:
            registration = account.registrations[claim.registration_id]
            active_at = max(registration.last_activity_at, claim.protected_from)
            yield Due(active_at + timedelta(days=days), claim, IDLE_RANK, _warn)


def _remind(account: Account, claim: Claim, _timeline: Timeline, at: datetime) -> None:
    account.move(claim, "expiring", at, flags=replace(claim.flags, reminded_at=at))


def _warn(account: Account, claim: Claim, timeline: Timeline, at: datetime) -> None:
    plan = timeline.book.numbered(claim.plan_number)
    notice = 0 if plan is None else plan.policy.activity_notice_days
    flags = replace(claim.flags, idle_warned_at=at, idle_release_at=at + timedelta(days=notice))
    account.move(claim, "idle_warned", at, flags=flags)


def _release(account: Account, claim: Claim, timeline: Timeline, at: datetime) -> None:
    account.move(
        claim,
        "idle",
        at,
        ("Nothing was heard of this deal in time, so its protection has ended.",),
        state="expired",
        protected_until=at,
    )
    after_end(account, timeline.book, timeline.standing, claim.product_line, at)

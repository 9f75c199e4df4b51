"""Two accounts turn out to be one: all that the one has becomes the other's.

Nothing is renumbered or revoked: a claim keeps the place that its first account gave it, and receipts
stand. Among claims of several numberings the order is by when each took its place, each numbering kept.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dealreg_registration.domain.account import Account, Claim
from dealreg_registration.domain.case import CaseMoved
from dealreg_registration.domain.cases import SYSTEM, case_of, close_settled, meet
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.entries import AccountMerged
from dealreg_registration.domain.facts import merge
from dealreg_registration.domain.filing import NewId, decide_again
from dealreg_registration.domain.offers import void_offer

MOMENT = timedelta(microseconds=1)
STANDS_BACK = (
    "Two accounts turned out to be one, and an earlier protection holds this product line: your claim "
    "is on standby, and a conflict is opened for the vendor to settle."
)


@dataclass(frozen=True, slots=True)
class Moved:
    """What a merge did to each claim of both accounts, for the store: claim id -> when it took its
    place."""

    taken_at: dict[str, datetime]


def merge_accounts(
    survivor: Account,
    merged: Account,
    context: Context,
    new_id: NewId,
    *,
    reason: str | None = None,
    but: str | None = None,
) -> Moved:
    """Make ``merged`` part of ``survivor``; both settled, with all their claims read.

    The earlier protection of a line stays, a later one goes on standby and a case opens; ``but`` is a
    case that is being decided by this very merge.
    """
    taken_at = _stamp(survivor) | _stamp(merged)
    _move_all(survivor, merged)
    survivor.claims = {
        id_: replace(claim, taken_at=taken_at[id_]) for id_, claim in survivor.claims.items()
    }
    survivor.absorbs = True
    survivor.facts, sources, _ = merge(
        survivor.facts, merged.facts, by="partner", sources=survivor.sources
    )
    survivor.sources = {
        name: merged.sources.get(name, by) if name not in survivor.sources else by
        for name, by in sources.items()
    }
    survivor.keys |= merged.keys
    merged.keys = frozenset()
    merged.merged_into = survivor.id
    survivor.version += 1
    merged.version += 1
    entry = AccountMerged(survivor.id, merged.id, context.now, reason)
    survivor.journal.append(entry)
    merged.journal.append(entry)
    _stand_back(survivor, context, new_id)
    _close_suspicions(survivor, merged, context.now, but)
    decide_again(survivor, context, new_id, amended=None)
    close_settled(survivor, context.now)
    return Moved(taken_at)


def _stamp(account: Account) -> dict[str, datetime]:
    """When each claim took its place: strictly rising in the order of the account."""
    found: dict[str, datetime] = {}
    last: datetime | None = None
    for claim in sorted(account.claims.values(), key=lambda claim: claim.turn):
        at = claim.taken_at or account.registrations[claim.registration_id].filed_at
        last = at if last is None else max(at, last + MOMENT)
        found[claim.id] = last
    return found


def _move_all(survivor: Account, merged: Account) -> None:
    for claim in merged.claims.values():
        survivor.claims[claim.id] = replace(claim, numbered_by=claim.numbered_by or merged.id)
    survivor.registrations |= merged.registrations
    survivor.cases |= merged.cases
    survivor.referrals |= merged.referrals
    survivor.transfers |= merged.transfers
    for emptied in (
        merged.claims,
        merged.registrations,
        merged.cases,
        merged.referrals,
        merged.transfers,
    ):
        emptied.clear()


def _stand_back(account: Account, context: Context, new_id: NewId) -> None:
    lines = {claim.product_line for claim in account.claims.values() if claim.holds}
    for line in sorted(lines):
        holders = [c for c in account.active() if c.holds and c.product_line == line]
        void_offer(account, line, context.now)
        first, *later = sorted(holders, key=_since)
        for claim in later:
            _queue(account, first, claim, context, new_id)


def _since(claim: Claim) -> tuple[datetime, tuple[datetime, int, str]]:
    return claim.protected_from or claim.decided_at, claim.turn


def _queue(account: Account, holder: Claim, later: Claim, context: Context, new_id: NewId) -> None:
    """A partner that held both has no conflict with itself."""
    own = holder.partner_id == later.partner_id
    case = None if own else case_of(account, holder)
    case_id = later.case_id if own else (new_id("cnf") if case is None else case.id)
    after = account.move(
        later,
        "merged",
        context.now,
        (STANDS_BACK,) if not own else ("You hold this product line by an earlier claim already.",),
        state="contested",
        protected_from=None,
        protected_until=None,
        case_id=case_id,
    )
    if not own:
        meet(account, context.plan, holder, after, context.now)


def _close_suspicions(account: Account, merged: Account, at: datetime, but: str | None) -> None:
    """Nobody needs to say any more whether these two are one."""
    pair = {account.id, merged.id}
    for case in list(account.cases.values()):
        asked = case.kind == "possible_duplicate" and case.pending and case.id != but
        if asked and case.other_account_id in pair:
            closed = case.closed("withdrawn", at, SYSTEM, "withdrawn")
            account.cases[case.id] = closed
            account.journal.append(CaseMoved(closed, "closed", at))

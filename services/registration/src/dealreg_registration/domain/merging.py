"""Two accounts turn out to be one: all that the one has becomes the other's.

Nothing is renumbered or revoked: a claim keeps the place that its first account gave it, and receipts
stand. Among claims of several numberings the order is by when each took its place, each numbering kept.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dealreg_registration.domain.account import Account, Claim
from dealreg_registration.domain.case import CaseMoved
from dealreg_registration.domain.cases import SYSTEM, Meetings, close_settled
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.decide import joint
from dealreg_registration.domain.entries import AccountEdited, AccountMerged
from dealreg_registration.domain.facts import merge
from dealreg_registration.domain.filing import NewId, decide_again
from dealreg_registration.domain.offers import void_offer
from dealreg_registration.domain.sharing import share_with

MOMENT = timedelta(microseconds=1)
STANDS_BACK = (
    "Two accounts turned out to be one, and an earlier protection holds this product line: your claim "
    "is on standby, and a conflict is opened for the vendor to settle."
)
ONE_CLAIM = (
    "Two accounts turned out to be one, and your deal has another claim on this product line there: "
    "that one goes on for both."
)
RUNS_ON = (
    "Two accounts turned out to be one: your claim goes on for both, and its protection runs until "
    "{until:%Y-%m-%d %H:%M} UTC."
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
    children: Iterable[Account] = (),
    reason: str | None = None,
    but: str | None = None,
) -> Moved:
    """Make ``merged`` part of ``survivor``; both settled, with all their claims read.

    The earlier protection of a line stays, a later one goes on standby and a case opens; of one
    partner's claims on a line one goes on. ``children`` are the merged account's other subsidiaries:
    the survivor's from now on. ``but`` is a case that is being decided by this very merge.
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
    _take_parent(survivor, merged)
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
    for child in children:
        _adopt(child, survivor, context, new_id)
    return Moved(taken_at)


def _take_parent(survivor: Account, merged: Account) -> None:
    if survivor.parent_id == merged.id:
        survivor.parent_id, survivor.parent_keys = None, frozenset()
    elif survivor.parent_id is None and merged.parent_id != survivor.id:
        survivor.parent_id, survivor.parent_keys = merged.parent_id, merged.parent_keys


def _adopt(child: Account, survivor: Account, context: Context, new_id: NewId) -> None:
    """Its parent has the keys of both now, so its open and referred claims are decided again."""
    child.parent_id, child.parent_keys = survivor.id, survivor.keys
    child.version += 1
    child.journal.append(AccountEdited(child.id, context.now, (), survivor.id))
    decide_again(child, context, new_id, amended=None)


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
    """Line by line: the earliest protection stays, each partner goes on with one claim, and who held
    the line too stands behind."""
    meetings = Meetings(account, context.plan, new_id, context.now)
    for line in sorted({claim.product_line for claim in account.active()}):
        holders = [c for c in account.active() if c.holds and c.product_line == line]
        if not holders:
            _one_offer(account, line, context.now)
            _one_each(account, line, None, context.now)
            continue
        void_offer(account, line, context.now)
        first = min(holders, key=_since)
        _one_each(account, line, first, context.now)
        first = account.claims[first.id]
        for claim in holders:
            if claim.id != first.id and account.claims[claim.id].holds:
                after = account.move(
                    claim,
                    "merged",
                    context.now,
                    (STANDS_BACK,),
                    state="contested",
                    protected_from=None,
                    protected_until=None,
                    case_id=meetings.case_with(first, claim),
                )
                meetings.meet(first, after)
    meetings.close()


def _since(claim: Claim) -> tuple[datetime, tuple[datetime, int, str]]:
    return claim.protected_from or claim.decided_at, claim.turn


def _one_offer(account: Account, line: str, at: datetime) -> None:
    """A line that fell free on both accounts is offered once: to whose turn is first."""
    if offered := [claim for claim in account.standby(line) if claim.offered]:
        void_offer(account, line, at, but=offered[0].id)


def _one_each(account: Account, line: str, holder: Claim | None, at: datetime) -> None:
    """A partner has one claim on a line (rule 2): the one that holds it, else its first live one, else
    its first. The others end as if it had filed again, and nothing that they had is lost: the place is
    the earlier one, and a protection runs as long as the longest of them did."""
    active = [c for c in account.active() if c.product_line == line]
    active.sort(key=lambda c: (holder is None or c.id != holder.id, not c.live, c.turn))
    kept: list[Claim] = []
    for claim in active:
        own = next((k for k in kept if _one_claim(account, k, claim)), None)
        if own is None:
            kept.append(claim)
            continue
        account.move(claim, "merged", at, (ONE_CLAIM,), state="superseded")
        share_with(account, claim, own, at)
        if holder is not None and own.id == holder.id and claim.holds:
            _run_on(account, account.claims[own.id], claim, at)


def _one_claim(account: Account, kept: Claim, other: Claim) -> bool:
    if kept.partner_id == other.partner_id:
        return True
    registrations = account.registrations
    return joint(registrations[kept.registration_id], registrations[other.registration_id])


def _run_on(account: Account, kept: Claim, ended: Claim, at: datetime) -> None:
    until, longer = kept.protected_until, ended.protected_until
    if until is not None and longer is not None and longer > until:
        account.move(kept, "merged", at, (RUNS_ON.format(until=longer),), protected_until=longer)


def _close_suspicions(account: Account, merged: Account, at: datetime, but: str | None) -> None:
    """Nobody needs to say any more whether these two are one."""
    pair = {account.id, merged.id}
    for case in list(account.cases.values()):
        asked = case.kind == "possible_duplicate" and case.pending and case.id != but
        if asked and case.other_account_id in pair:
            closed = case.closed("withdrawn", at, SYSTEM, "withdrawn")
            account.cases[case.id] = closed
            account.journal.append(CaseMoved(closed, "closed", at))

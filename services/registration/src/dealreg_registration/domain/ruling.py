"""A ruling: what a person may decide on a case, and what becomes of every claim of it.

One call changes all claims in memory; the account writer stores it in one transaction. A claim that
holds keeps its running term as stamped; one that comes to hold is protected for a full window from the
ruling. Who held and does not any more is ``revoked``, who waited is ``closed``: these are the ends that
a partner may appeal. Sentences are for the partner of the claim and name no rival.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from dealreg_registration.domain.account import PENDING, Account, Claim
from dealreg_registration.domain.appealing import open_until
from dealreg_registration.domain.case import (
    Case,
    CaseActed,
    CaseKind,
    CaseMoved,
    Part,
    RulingKind,
    Verdict,
)
from dealreg_registration.domain.cases import close_settled
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.correcting import correct
from dealreg_registration.domain.errors import RulingOvertaken, RulingUnfit
from dealreg_registration.domain.offers import void_offer
from dealreg_registration.domain.plan import PlanBook, window
from dealreg_shared.ladder import missed

NewId = Callable[[str], str]

FITTING: dict[CaseKind, frozenset[RulingKind]] = {
    "overlap": frozenset({"uphold_first", "award", "split", "co_sell", "release_all"}),
    "direct_engagement": frozenset({"uphold_first", "release_all"}),
    "contradiction": frozenset({"uphold_first", "correct_record"}),
    "possible_duplicate": frozenset({"same_account", "not_same_account"}),
    "appeal": frozenset({"uphold_first", "award", "co_sell"}),
}
"""Which rulings settle which kind of case. To uphold the first on an appeal leaves what was ruled."""

SAME_OR_NOT: frozenset[RulingKind] = frozenset({"same_account", "not_same_account"})

CLOSED = "The vendor has settled the conflict on this product line; your claim there has ended."
REVOKED = (
    "The vendor has settled the conflict on this product line; your protection there has ended."
)
UPHELD = (
    "The vendor has settled the conflict on this product line: your protection stands as it was."
)
UNCHANGED = "The vendor has looked into this claim; it stays as it is."
APPEAL_REFUSED = (
    "The vendor has looked into your appeal and leaves the decision as it was: your claim stays as "
    "it is."
)
LEADS = (
    "The vendor has settled the conflict on this product line: you lead here, and your protection "
    "goes on until its end; another partner sells together with you and shares it."
)
SHARED = (
    "The vendor has settled the conflict on this product line: you and another partner sell here "
    "together, and you share its protection."
)


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a person decided. ``claim_id`` is the winner of an award or the lead of a co-sell, ``lines``
    say who gets which product line of a split; ``restore`` goes with a corrected record."""

    kind: RulingKind
    claim_id: str | None = None
    lines: tuple[tuple[str, str], ...] = ()
    co_holders: tuple[str, ...] = ()
    restore: bool = True


def rule(
    account: Account,
    case: Case,
    ruling: Ruling,
    book: PlanBook,
    context: Context,
    new_id: NewId,
    *,
    level: int,
    by: str | None,
    actor: str,
    entry_id: str | None = None,
    departs: tuple[str, ...] = (),
) -> Case:
    """Carry a ruling out; its reason is kept under ``entry_id``.

    Raises ``RulingUnfit`` or ``RulingOvertaken`` before changing anything."""
    now = context.now
    if case.kind == "appeal":
        case = _with_holder(account, case)
    breached = level in {deadline.level for deadline in missed(case.course, now)}
    desk = _Desk(account, case, context)
    if ruling.kind not in FITTING[case.kind]:
        raise RulingUnfit(f"A case of kind {case.kind} is not settled by {ruling.kind}.")
    if ruling.kind == "release_all":
        desk.release_all()
    elif ruling.kind == "correct_record":
        desk.parts = correct(account, case, book, context, new_id, restore=ruling.restore)
    elif ruling.kind in SAME_OR_NOT or (ruling.kind == "uphold_first" and case.kind != "overlap"):
        desk.leave()
    else:
        desk.share_out(_winners(account, case, ruling), _co_holders(account, case, ruling))
    parts = (
        replace(part, appeal_until=open_until(account.claims[part.claim_id], level, context))
        if part.effect == "ended"
        else part
        for part in desk.parts
    )
    verdict = Verdict(ruling.kind, level, by, breached, tuple(parts), departs)
    decided = replace(case.closed("decided", now, actor, "decided"), ruled_level=level, ruled_by=by)
    account.cases[case.id] = decided
    account.journal.append(CaseActed(decided, "decided", now, by, level, entry_id, verdict=verdict))
    account.journal.append(CaseMoved(decided, "closed", now))
    close_settled(account, now)
    return decided


class _Desk:
    """The claims of a case while a ruling is carried out."""

    def __init__(self, account: Account, case: Case, context: Context) -> None:
        self.account = account
        self.case = case
        self.context = context
        self.parts: list[Part] = []

    @property
    def now(self) -> datetime:
        return self.context.now

    def leave(self) -> None:
        """Everything stays as it is."""
        for claim in _members(self.account, self.case):
            self.parts.append(
                Part(claim.id, "holds", UPHELD)
                if claim.holds
                else Part(
                    claim.id,
                    "unchanged",
                    APPEAL_REFUSED if claim.appeal_id == self.case.id else UNCHANGED,
                )
            )

    def release_all(self) -> None:
        """Every claim of the case ends, and whoever else waits on its lines: nobody comes after."""
        members = [c for c in _members(self.account, self.case) if c.live or c.state in PENDING]
        lines = dict.fromkeys(c.product_line for c in members if c.live)
        waiting = [
            claim for line in lines for claim in self.account.standby(line) if claim not in members
        ]
        for claim in [*members, *waiting]:
            self._end(claim.id)

    def share_out(self, winners: dict[str, Claim], co_holders: tuple[Claim, ...]) -> None:
        """Give each line to its winner; co-holders share it; all others of the case end."""
        for winner in winners.values():
            self._check(winner)
        known = self.account.cases[self.case.id].claim_ids
        if joined := tuple(id_ for id_ in self.case.claim_ids if id_ not in known):
            self.account.journal.append(CaseMoved(self.case, "joined", self.now, joined))
        kept = {winner.id for winner in winners.values()} | {c.id for c in co_holders}
        losers = [c for c in _members(self.account, self.case) if c.live and c.id not in kept]
        for line in winners:
            void_offer(self.account, line, self.now)
        for claim in losers:
            self._end(claim.id)
        for claim in co_holders:
            self._share(claim.id, winners[claim.product_line])
        shared = {claim.product_line for claim in co_holders}
        for winner in winners.values():
            self._protect(winner.id, leads=winner.product_line in shared)

    def _check(self, winner: Claim) -> None:
        partner_id = winner.partner_id
        holder = self.account.holder(winner.product_line)
        if holder is not None and holder.id not in self.case.claim_ids and holder != winner:
            raise RulingOvertaken(
                f"Product line {winner.product_line} is held by a claim outside this case."
            )
        if winner.holds:
            return
        if partner_id not in self.context.plan.partners:
            raise RulingOvertaken("The winner is no partner of the plan in force.")
        if not self.context.standing.active(partner_id, self.now):
            raise RulingOvertaken("The winner is suspended; a suspended partner is not protected.")

    def _end(self, claim_id: str) -> None:
        claim = self.account.claims[claim_id]
        held = claim.holds or claim.state in PENDING
        sentence = REVOKED if held else CLOSED
        self.account.move(
            claim,
            "ruling",
            self.now,
            (sentence,),
            state="revoked" if held else "closed",
            case_id=self.case.id,
            ended_at=self.now,
        )
        self.parts.append(Part(claim.id, "ended", sentence))

    def _share(self, claim_id: str, lead: Claim) -> None:
        """A co-holder keeps its place behind the lead, and shares what the lead holds."""
        claim = self.account.claims[claim_id]
        self.account.move(
            claim,
            "ruling",
            self.now,
            (SHARED,),
            state="contested",
            case_id=self.case.id,
            co_holds=lead.id,
            protected_from=None,
            protected_until=None,
            ended_at=None,
        )
        self.parts.append(Part(claim.id, "co_holds", SHARED))

    def _protect(self, claim_id: str, *, leads: bool) -> None:
        claim = self.account.claims[claim_id]
        if claim.holds:
            self.parts.append(Part(claim.id, "holds", LEADS if leads else UPHELD))
            return
        partner = self.context.plan.partners[claim.partner_id]
        start, end = window(partner, self.now)
        settled = "has settled the conflict on this product line for you"
        if claim.appeal_id == self.case.id:
            settled = "has granted your appeal"
        sentence = (
            f"The vendor {settled}: you are protected for {partner.protection_days} days, until "
            f"{end:%Y-%m-%d %H:%M} UTC."
        )
        if leads:
            sentence += " You lead; another partner sells together with you and shares it."
        self.account.move(
            claim,
            "ruling",
            self.now,
            (sentence,),
            state="protected",
            case_id=self.case.id,
            decided_at=self.now,
            plan_number=self.context.plan.number,
            protected_from=start,
            protected_until=end,
            ended_at=None,
            co_holds=None,
        )
        self.parts.append(Part(claim.id, "holds", sentence))


def _with_holder(account: Account, case: Case) -> Case:
    """An appeal with whoever holds the line by now as a party."""
    holder = account.holder(account.claims[case.claim_ids[0]].product_line)
    if holder is None or holder.id in case.claim_ids:
        return case
    return replace(case, claim_ids=(*case.claim_ids, holder.id))


def _winners(account: Account, case: Case, ruling: Ruling) -> dict[str, Claim]:
    """Product line -> the claim that shall hold it."""
    if case.kind == "appeal":
        return _appeal_winner(account, case, ruling)
    winners = _firsts(account, case)
    if ruling.kind == "uphold_first":
        if not winners:
            raise RulingOvertaken("None of the case's claims is live any more.")
        return winners
    if ruling.kind == "split":
        named = dict(ruling.lines)
        contested = {line for line in winners if _rivals(account, case, line)}
        if missing := sorted(contested - named.keys()):
            raise RulingUnfit(
                f"A split says who gets each line; {', '.join(missing)} is not named."
            )
        winners |= {line: _live(account, case, id_, line) for line, id_ in named.items()}
        if len({winners[line].partner_id for line in contested}) == 1:
            raise RulingUnfit("A split gives lines to several partners; to one, award the case.")
        return winners
    chosen = _live(account, case, ruling.claim_id)
    return winners | {
        claim.product_line: claim
        for claim in _members(account, case)
        if claim.live and claim.registration_id == chosen.registration_id
    }


def _appeal_winner(account: Account, case: Case, ruling: Ruling) -> dict[str, Claim]:
    appealed = account.claims[case.claim_ids[0]]
    if ruling.claim_id not in case.claim_ids:
        raise RulingUnfit("The claim named is not part of the case.")
    holder = account.holder(appealed.product_line)
    if ruling.kind == "award" and ruling.claim_id != appealed.id:
        raise RulingUnfit(
            "An appeal is awarded to the claim that appeals, or the ruling is upheld."
        )
    if ruling.kind == "co_sell" and (holder is None or holder.id not in case.claim_ids):
        raise RulingOvertaken(
            "Nobody of this case holds the line any more; there is nothing to share."
        )
    return {appealed.product_line: account.claims[ruling.claim_id]}


def _co_holders(account: Account, case: Case, ruling: Ruling) -> tuple[Claim, ...]:
    if ruling.kind != "co_sell":
        return ()
    lead = account.claims.get(ruling.claim_id or "")
    if lead is None or not ruling.co_holders:
        raise RulingUnfit("A co-sell names its lead and at least one co-holder.")
    led = {
        claim.product_line
        for claim in _members(account, case)
        if claim.registration_id == lead.registration_id
    }
    found: list[Claim] = []
    for claim_id in ruling.co_holders:
        claim = (
            _member(account, case, claim_id)
            if case.kind == "appeal"
            else _live(account, case, claim_id)
        )
        if claim.partner_id == lead.partner_id or claim.product_line not in led:
            raise RulingUnfit("A co-holder is another partner, on a line that the lead has.")
        found.append(claim)
    return tuple(found)


def _firsts(account: Account, case: Case) -> dict[str, Claim]:
    """Line by line, who holds it, else the oldest live claim of the case."""
    firsts: dict[str, Claim] = {}
    for claim in _members(account, case):
        if claim.live:
            first = firsts.setdefault(claim.product_line, claim)
            if claim.holds and not first.holds:
                firsts[claim.product_line] = claim
    return firsts


def _rivals(account: Account, case: Case, line: str) -> bool:
    live = [c for c in _members(account, case) if c.live and c.product_line == line]
    return len(live) > 1


def _members(account: Account, case: Case) -> list[Claim]:
    claims = [account.claims[claim_id] for claim_id in case.claim_ids]
    return sorted(claims, key=lambda claim: claim.turn)


def _member(account: Account, case: Case, claim_id: str | None) -> Claim:
    if claim_id is None or claim_id not in case.claim_ids:
        raise RulingUnfit("The claim named is not part of the case.")
    return account.claims[claim_id]


def _live(account: Account, case: Case, claim_id: str | None, line: str | None = None) -> Claim:
    claim = _member(account, case, claim_id)
    if line is not None and claim.product_line != line:
        raise RulingUnfit(f"The claim named for product line {line} is not on it.")
    if not claim.live:
        raise RulingOvertaken(f"The claim named is {claim.state} meanwhile.")
    return claim

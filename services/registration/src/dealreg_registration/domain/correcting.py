"""Correcting a deal's recorded result, by a ruling on a contradiction; and what followed from it.

A win had closed the line's standby, a loss had given the line to the next: a ruling restores that, or
leaves it as it is. The earlier won or lost event no longer counts once the correction is told.
"""

from collections.abc import Callable
from dataclasses import replace

from dealreg_registration.domain.account import Account, Claim, Corrected
from dealreg_registration.domain.case import Case, Part
from dealreg_registration.domain.cases import Meetings
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.errors import RulingOvertaken
from dealreg_registration.domain.filing import touch
from dealreg_registration.domain.offers import offer_next
from dealreg_registration.domain.owner import owner_for
from dealreg_registration.domain.plan import PlanBook

CORRECTED = "The vendor has corrected the recorded result of this deal."
RESTORED = "The vendor has corrected a record on this product line: your claim is on standby again."
ENDED = "The vendor has corrected a record on this product line; your claim there has ended."


def correct(
    account: Account,
    case: Case,
    book: PlanBook,
    context: Context,
    new_id: Callable[[str], str],
    *,
    restore: bool,
) -> list[Part]:
    """Record the result that the case claims instead of the one on record. Raises ``RulingOvertaken``
    before changing anything."""
    registration = account.registrations[account.claims[case.claim_ids[0]].registration_id]
    former, former_at, claimed = registration.result, registration.result_at, case.claimed
    if former is None or former_at is None or claimed is None or former == claimed:
        raise RulingOvertaken("The record says already what the case claims.")
    now = context.now
    flipped = [c for c in account.of_registration(registration.id) if c.state == former]
    registration = replace(touch(account, registration, context), result=claimed, result_at=now)
    account.registrations[registration.id] = registration
    owner = owner_for(account, registration, context.plan, context.standing, now)
    held = any(c.protected_until is not None and c.protected_until > former_at for c in flipped)
    account.journal.append(
        Corrected(registration.id, now, owner, case.id, former, former_at, claimed, held)
    )
    parts: list[Part] = []
    for claim in flipped:
        account.move(claim, "corrected", now, (CORRECTED,), state=claimed)
        parts.append(Part(claim.id, "unchanged", CORRECTED))
    if restore:
        for claim in flipped:
            follow = _restore if former == "won" else _take_back
            parts += follow(account, claim, book, context, new_id)
    return parts


def _restore(
    account: Account,
    won: Claim,
    book: PlanBook,
    context: Context,
    new_id: Callable[[str], str],
) -> list[Part]:
    """The standby that the win had closed waits again; a free line is offered to it, as after a loss."""
    line, now = won.product_line, context.now
    closed = [
        claim
        for claim in account.claims.values()
        if claim.product_line == line and claim.state == "closed" and claim.ended_at == won.ended_at
    ]
    closed.sort(key=lambda claim: claim.turn)
    for claim in closed:
        account.move(
            claim, "ruling", now, (RESTORED,), state="contested", case_id=None, ended_at=None
        )
    if account.holder(line) is None:
        offer_next(account, book, context.standing, line, now, now)
    if (holder := account.holder(line)) is not None:
        meetings = Meetings(account, context.plan, new_id, now)
        for claim in closed:
            waiting = account.claims[claim.id]
            if waiting.state == "contested":
                waiting = replace(waiting, case_id=meetings.case_with(holder))
                account.claims[waiting.id] = waiting
                meetings.meet(holder, waiting)
        meetings.close()
    return [
        Part(after.id, "holds" if after.holds else "unchanged", RESTORED)
        for after in (account.claims[claim.id] for claim in closed)
    ]


def _take_back(
    account: Account,
    lost: Claim,
    _book: PlanBook,
    context: Context,
    _new_id: Callable[[str], str],
) -> list[Part]:
    """Whoever holds the line or waits for it since the loss ends, as after a win."""
    line, now = lost.product_line, context.now
    parts: list[Part] = []
    holder = account.holder(line)
    for claim in [*([holder] if holder else []), *account.standby(line)]:
        account.move(
            claim,
            "ruling",
            now,
            (ENDED,),
            state="revoked" if claim.holds else "closed",
            ended_at=now,
        )
        parts.append(Part(claim.id, "ended", ENDED))
    return parts

"""Correcting a deal's recorded result, by a ruling on a contradiction; and what followed from it.

A win had closed the line's standby, a loss had given the line to the next: a ruling restores that, or
leaves it as it is. The earlier won or lost event no longer counts once the correction is told.
"""

from collections.abc import Callable
from dataclasses import replace

from dealreg_registration.domain.account import (
    ACTIVE,
    Account,
    Acted,
    Claim,
    Corrected,
    Registration,
)
from dealreg_registration.domain.case import Case, Part
from dealreg_registration.domain.cases import Meetings
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.contradicting import NEVER_SOLD
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
    if registration.result is None and case.claimed == "won":
        return _second_winner(account, case, registration, context)
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


def _second_winner(
    account: Account, case: Case, registration: Registration, context: Context
) -> list[Part]:
    """Another partner's win is on record, and this one is true: that one is lost, this one won."""
    now, members = context.now, [account.claims[claim_id] for claim_id in case.claim_ids]
    mine = [claim for claim in members if claim.registration_id == registration.id]
    lines = {claim.product_line for claim in members if claim not in mine}
    won = [claim for claim in members if claim not in mine and claim.state not in ACTIVE]
    recorded = [r for r in _of(account, won) if r.result == "won"]
    if not recorded:
        raise RulingOvertaken("The other win is not on record any more.")
    parts = [
        Part(claim.id, "unchanged", CORRECTED)
        for other in recorded
        for claim in _lose(account, case, other, context)
    ]
    registration = replace(touch(account, registration, context), result="won", result_at=now)
    account.registrations[registration.id] = registration
    owner = owner_for(account, registration, context.plan, context.standing, now)
    account.journal.append(Acted(registration.id, "won", now, owner))
    for claim in mine:
        if claim.product_line in lines and claim.state not in NEVER_SOLD:
            account.move(claim, "won", now, (CORRECTED,), state="won", ended_at=now)
            account.incumbents[claim.product_line] = claim.partner_id
            parts.append(Part(claim.id, "unchanged", CORRECTED))
    return parts


def _of(account: Account, claims: list[Claim]) -> list[Registration]:
    return [account.registrations[id_] for id_ in dict.fromkeys(c.registration_id for c in claims)]


def _lose(account: Account, case: Case, other: Registration, context: Context) -> list[Claim]:
    """The deal did not win the lines of the case. One that won others remains won, by those alone."""
    now, claims = context.now, account.of_registration(other.id)
    disputed = [claim for claim in claims if claim.id in case.claim_ids]
    elsewhere = any(claim.state == "won" and claim not in disputed for claim in claims)
    if not elsewhere and other.result_at is not None:
        former_at = other.result_at
        after = replace(touch(account, other, context), result="lost", result_at=now)
        account.registrations[after.id] = after
        owner = owner_for(account, after, context.plan, context.standing, now)
        held = any(
            c.protected_until is not None and c.protected_until > former_at for c in disputed
        )
        account.journal.append(
            Corrected(after.id, now, owner, case.id, "won", former_at, "lost", held)
        )
    for claim in disputed:
        if claim.state == "won":
            account.move(claim, "corrected", now, (CORRECTED,), state="lost")
    return disputed


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

"""Transferring running protections: asked by staff, consented to by both sides, or given up.

The term is stamped: the receiver has what is left of it, never a new one. Its claim takes a new place
at the back and holds the line all the same; standby stays standby behind it, co-holders share it, and
open cases about it go on with it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from dealreg_registration.domain.account import PENDING, Account, Acted, Claim, Registration
from dealreg_registration.domain.case import Case
from dealreg_registration.domain.cases import close_settled, join
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.coverage import Cover, covers, target_for
from dealreg_registration.domain.due import Due, Timeline
from dealreg_registration.domain.filing import NewId
from dealreg_registration.domain.flags import NO_FLAGS
from dealreg_registration.domain.handover_errors import (
    NothingToTransfer,
    TransferClosed,
    TransferNotFound,
    UnfitReceiver,
)
from dealreg_registration.domain.owner import owner_for
from dealreg_registration.domain.sharing import share_with
from dealreg_registration.domain.transfer import Transfer, TransferMoved

TRANSFER_RANK = 6
Side = Literal["holder", "receiver"]

GIVEN = "Your protection on this product line has passed to another partner, as you agreed."
TAKEN = (
    "The protection on this product line has passed to you with what is left of its term, until "
    "{until:%Y-%m-%d %H:%M} UTC."
)
REPLACED = "You hold this product line by a transfer now; this earlier claim has ended."


def transfer_lapses(account: Account, _timeline: Timeline) -> Iterator[Due]:
    """Without both sides' consent in time, everything stays as it is."""
    for transfer in account.transfers.values():
        if transfer.pending:
            first = account.claims[transfer.claim_ids[0]]
            yield Due(transfer.due_at, first, TRANSFER_RANK, _lapse)


def open_transfer(
    account: Account, claims: Sequence[Claim], to_id: str, context: Context, new_id: NewId
) -> Transfer:
    """Ask both sides. Raises ``NothingToTransfer`` or ``UnfitReceiver``."""
    if not claims:
        raise NothingToTransfer("None of this registration's claims is protected.")
    for claim in claims:
        if not claim.holds:
            raise NothingToTransfer(f"Product line {claim.product_line!r} is not protected.")
        if claim.flags.transfer_until is not None:
            raise NothingToTransfer(
                f"A transfer of product line {claim.product_line!r} waits for consent already."
            )
    if to_id == claims[0].partner_id:
        raise UnfitReceiver("The receiver holds it already.")
    _require_fit(to_id, context)
    plan, now = context.plan, context.now
    transfer = Transfer(
        id=new_id("trf"),
        registration_id=claims[0].registration_id,
        from_id=claims[0].partner_id,
        to_id=to_id,
        claim_ids=tuple(claim.id for claim in claims),
        product_lines=tuple(claim.product_line for claim in claims),
        state="pending",
        plan_number=plan.number,
        opened_at=now,
        due_at=plan.business_days.add_business_days(now, plan.policy.transfer_days),
    )
    account.transfers[transfer.id] = transfer
    account.journal.append(TransferMoved(transfer, "opened", now))
    for claim in claims:
        flags = replace(claim.flags, transfer_until=transfer.due_at)
        account.move(claim, "transfer_asked", now, flags=flags)
    return transfer


def decline_transfer(account: Account, transfer_id: str, at: datetime) -> Transfer:
    """One side does not want it: everything stays as it is."""
    return account.close_transfer(_pending(account, transfer_id), "declined", at)


def accept_transfer(
    account: Account,
    transfer_id: str,
    side: Side,
    registration_id: str,
    context: Context,
    new_id: NewId,
) -> tuple[Transfer, Registration | None]:
    """One side consents; when both have, the claims pass, into a registration ``registration_id``.

    Consenting again changes nothing.
    """
    transfer = _pending(account, transfer_id)
    _require_fit(transfer.to_id, context)
    if side == "holder":
        accepted = replace(transfer, holder_accepted_at=transfer.holder_accepted_at or context.now)
    else:
        accepted = replace(
            transfer, receiver_accepted_at=transfer.receiver_accepted_at or context.now
        )
    if accepted != transfer:
        account.transfers[transfer.id] = accepted
        account.journal.append(TransferMoved(accepted, "accepted", context.now))
    if accepted.holder_accepted_at is None or accepted.receiver_accepted_at is None:
        return accepted, None
    return _pass_on(account, accepted, registration_id, context, new_id)


def _pass_on(
    account: Account,
    transfer: Transfer,
    registration_id: str,
    context: Context,
    new_id: NewId,
) -> tuple[Transfer, Registration]:
    now = context.now
    source = account.registrations[transfer.registration_id]
    transfer = account.close_transfer(transfer, "done", now, taken_registration_id=registration_id)
    taken = replace(
        source,
        id=registration_id,
        partner_id=transfer.to_id,
        filed_at=now,
        reseller_id=None,
        distributor_id=None,
        last_activity_at=now,
        version=1,
        result=None,
        result_at=None,
        referred_by=None if source.referred_by == transfer.to_id else source.referred_by,
    )
    account.registrations[taken.id] = taken
    owner = owner_for(account, taken, context.plan, context.standing, now)
    account.journal.append(Acted(taken.id, "received", now, owner))
    joining: dict[str, list[str]] = {}
    for claim_id in transfer.claim_ids:
        given = account.claims[claim_id]
        cases = _cases_about(account, given)
        account.move(given, "transferred", now, (GIVEN,), state="transferred")
        for earlier in account.active():
            if (earlier.partner_id, earlier.product_line) == (transfer.to_id, given.product_line):
                state = "superseded" if earlier.state in PENDING else "closed"
                account.move(earlier, "transferred", now, (REPLACED,), state=state)
        until = given.protected_until or now
        cover = _cover(account, taken, given.product_line, context)
        received = replace(
            given,
            id=new_id("clm"),
            registration_id=taken.id,
            partner_id=transfer.to_id,
            place=account.next_place(),
            decided_at=now,
            protected_from=now,
            territory_id=None if cover is None else cover.territory.id,
            assignment_id=None if cover is None else cover.assignment.id,
            flags=replace(NO_FLAGS, reminded_at=given.flags.reminded_at),
            case_id=next((case.id for case in cases if case.kind == "overlap"), None),
            appeal_id=None,
            co_holds=None,
            numbered_by=None,
            taken_at=None,
        )
        account.add(received, "transferred", now, (TAKEN.format(until=until),))
        share_with(account, given, received, now)
        for case in cases:
            joining.setdefault(case.id, []).append(received.id)
    for case_id, claim_ids in joining.items():
        join(account, account.cases[case_id], claim_ids, now)
    close_settled(account, now)
    return transfer, taken


def _cases_about(account: Account, given: Claim) -> list[Case]:
    """The open cases that are about the protection, which go on with it. What somebody reported as a
    deal's result, or appeals, is of the claim that it was said of."""
    return [
        case
        for case in account.cases.values()
        if case.pending
        and case.kind in ("overlap", "direct_engagement")
        and given.id in case.claim_ids
    ]


def _cover(account: Account, taken: Registration, line: str, context: Context) -> Cover | None:
    """The assignment by which the receiver is in territory, if it is: what a win is credited to."""
    plan = context.plan
    named = plan.named(account.keys, account.parent_keys)
    target = target_for(plan, account.facts, taken.place_of_use, named, line, taken.tags)
    return covers(plan, context.standing, target, context.now).standing_of(taken.partner_id)


def _lapse(account: Account, claim: Claim, _timeline: Timeline, at: datetime) -> None:
    for transfer in list(account.transfers.values()):
        if transfer.pending and claim.id in transfer.claim_ids:
            account.close_transfer(transfer, "lapsed", at)


def _require_fit(to_id: str, context: Context) -> None:
    if to_id not in context.plan.partners:
        raise UnfitReceiver("The plan in force has no such partner.")
    if not context.standing.active(to_id, context.now):
        raise UnfitReceiver("The receiver is suspended.")


def _pending(account: Account, transfer_id: str) -> Transfer:
    transfer = account.transfers.get(transfer_id)
    if transfer is None:
        raise TransferNotFound("No such transfer.")
    if not transfer.pending:
        raise TransferClosed(f"This transfer is {transfer.state}.")
    return transfer

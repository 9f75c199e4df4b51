"""Objecting to a line being another's, under a plan that opens cases only when the loser objects."""

from collections.abc import Sequence
from dataclasses import replace

from dealreg_registration.domain.account import Account, Acted, Claim, Registration
from dealreg_registration.domain.cases import Meetings
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.filing import NewId, touch
from dealreg_registration.domain.handover_errors import NothingToObject, ObjectionTooLate
from dealreg_registration.domain.owner import owner_for


def object_to(
    account: Account,
    registration: Registration,
    claims: Sequence[Claim],
    context: Context,
    new_id: NewId,
) -> None:
    """Open the case of each claim, or join it: its deadlines count from now.

    Raises ``NothingToObject`` or ``ObjectionTooLate``, before it changes anything.
    """
    now = context.now
    waiting = [claim for claim in claims if claim.flags.object_until is not None]
    if not waiting:
        raise NothingToObject("No conflict can be opened on this registration by an objection.")
    against: list[tuple[Claim, Claim]] = []
    for claim in waiting:
        until, holder = claim.flags.object_until, account.taken_by(claim.product_line)
        if until is not None and now >= until:
            raise ObjectionTooLate(f"Objections were possible until {until:%Y-%m-%d %H:%M} UTC.")
        if holder is None or holder.id == claim.id:
            raise NothingToObject("Nobody holds this product line now.")
        against.append((claim, holder))
    touch(account, registration, context)
    owner = owner_for(account, registration, context.plan, context.standing, now)
    account.journal.append(Acted(registration.id, "objected", now, owner))
    meetings = Meetings(account, context.plan, new_id, now)
    for claim, holder in against:
        after = account.move(
            claim,
            "objected",
            now,
            case_id=meetings.case_with(holder),
            flags=replace(claim.flags, object_until=None),
        )
        meetings.meet(holder, after)
    meetings.close()

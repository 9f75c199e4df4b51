"""Cases: when they open and end, and who must act by when.

Deadlines are computed from the plan in force when the case opens, and stamped. The level at an instant
follows from the stamps alone (rules.md, section 4): nobody has to write it down for it to be true.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from dealreg_registration.domain.account import Account, Case, CaseMoved, Claim, Deadline
from dealreg_registration.domain.plan import Plan
from dealreg_registration.domain.stamps import stamp

FIRST_LEVEL = 1


def stamp_deadlines(
    plan: Plan, opened_at: datetime, region: str | None, segment: str | None
) -> tuple[Deadline, ...]:
    """The ladder for a case that opens now. Level 2 is never due before level 1."""
    return tuple(
        Deadline(deadline.level, cast("Any", deadline.role), deadline.person_id, deadline.due_at)
        for deadline in stamp(plan, opened_at, region, segment).deadlines
    )


def level_at(deadlines: Sequence[Deadline], now: datetime) -> int:
    """The level responsible at ``now``: at exactly a level's deadline it is the next one's."""
    level = FIRST_LEVEL
    for deadline in deadlines:
        if deadline.due_at is not None and now >= deadline.due_at:
            level = deadline.level + 1
    return level


def case_of(account: Account, holder: Claim) -> Case | None:
    """The open overlap case that the holding registration is already part of."""
    mine = {claim.id for claim in account.of_registration(holder.registration_id)}
    for case in account.cases.values():
        if case.kind == "overlap" and case.state == "open" and not mine.isdisjoint(case.claim_ids):
            return case
    return None


def meet(account: Account, plan: Plan, holder: Claim, contested: Claim, at: datetime) -> None:
    """Two claims met: join the holding registration's case, or open it under the id that ``contested``
    carries.

    A joining claim does not restart the clocks.
    """
    case = case_of(account, holder)
    if case is None:
        registration = account.registrations[contested.registration_id]
        region, segment = registration.market_region, registration.market_segment
        case = Case(
            id=cast(str, contested.case_id),
            kind="overlap",
            state="open",
            opened_at=at,
            generation=1,
            deadlines=stamp_deadlines(plan, at, region, segment),
            market_region=region,
            market_segment=segment,
            plan_number=plan.number,
            claim_ids=(holder.id, contested.id),
        )
        step = CaseMoved(case, "opened", at)
    else:
        joined = tuple(c.id for c in (holder, contested) if c.id not in case.claim_ids)
        case = replace(case, claim_ids=(*case.claim_ids, *joined))
        step = CaseMoved(case, "joined", at, joined)
    account.cases[case.id] = case
    account.journal.append(step)


def open_possible_duplicate(
    account: Account,
    plan: Plan,
    claim: Claim,
    other_account_id: str,
    case_id: str,
    at: datetime,
) -> None:
    """A filing's keys name two accounts: a person must say whether they are one."""
    registration = account.registrations[claim.registration_id]
    region, segment = registration.market_region, registration.market_segment
    case = Case(
        id=case_id,
        kind="possible_duplicate",
        state="open",
        opened_at=at,
        generation=1,
        deadlines=stamp_deadlines(plan, at, region, segment),
        market_region=region,
        market_segment=segment,
        plan_number=plan.number,
        claim_ids=(claim.id,),
        other_account_id=other_account_id,
    )
    account.cases[case.id] = case
    account.journal.append(CaseMoved(case, "opened", at))


def close_settled(account: Account, at: datetime) -> None:
    """End every overlap case in which no two live claims meet on one product line any more."""
    for case in list(account.cases.values()):
        if case.kind != "overlap" or case.state != "open":
            continue
        lines = [
            account.claims[claim_id].product_line
            for claim_id in case.claim_ids
            if claim_id in account.claims and account.claims[claim_id].live
        ]
        if len(set(lines)) == len(lines):
            closed = replace(
                case, state="withdrawn", closed_at=at, closed_level=level_at(case.deadlines, at)
            )
            account.cases[case.id] = closed
            account.journal.append(CaseMoved(closed, "closed", at))

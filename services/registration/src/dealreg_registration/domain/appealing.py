"""Cases that somebody opens on purpose: an appeal, direct sales already there."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from dealreg_registration.domain.account import ACTIVE, Account, Claim, Registration
from dealreg_registration.domain.case import Case
from dealreg_registration.domain.cases import open_case, pending_case
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.errors import (
    AlreadyOpen,
    AppealedAlready,
    AppealTooLate,
    NoNewEvidence,
    NotAppealable,
    NothingToEnd,
    RulingFinal,
)
from dealreg_registration.domain.stamps import stamp
from dealreg_shared.ladder import Course, Deadline, Stamp

APPEALABLE = frozenset({"rejected", "closed", "revoked"})
REVIEWER_LEVEL = 4

NewId = Callable[[str], str]


def appeal(
    account: Account,
    registration: Registration,
    product_line: str | None,
    evidence: Collection[str],
    known_evidence: Collection[str],
    context: Context,
    new_id: NewId,
) -> Case:
    """The partner appeals what became of one claim: once, in time, with evidence that is new.

    It starts one level above the ruling, or at the first after an automatic verdict, with new clocks;
    who ruled may not rule again. A ruling of the CEO goes to the plan's reviewer, else it is final.
    """
    claim = _appealed(account, registration, product_line)
    if claim.appeal_id is not None:
        raise AppealedAlready("This claim was appealed before; a claim is appealed once.")
    if not set(evidence) - set(known_evidence):
        raise NoNewEvidence("An appeal needs evidence that was not filed before.")
    ended, days = claim.ended_at or claim.decided_at, context.plan.policy.appeal_days
    if context.now >= ended + timedelta(days=days):
        raise AppealTooLate(f"An appeal is open for {days} days after a claim's end.")
    ruled = _ended_by_ruling(account, claim)
    by = None if ruled is None else ruled.ruled_by
    course = _course(context, registration, (ruled.ruled_level or 0) + 1 if ruled else 1)
    case_id = new_id("cnf")
    holder = account.holder(claim.product_line)
    claim = account.mark_appealed(claim, case_id, context.now)
    return open_case(
        account,
        context.plan,
        "appeal",
        case_id,
        registration,
        (claim.id,) if holder is None else (claim.id, holder.id),
        context.now,
        course=course,
        appeal_of=None if ruled is None else ruled.id,
        barred=() if by is None else (by,),
    )


def open_until(claim: Claim, level: int, context: Context) -> datetime | None:
    """Until when a claim that ``level`` has just ended may be appealed; None: that is final."""
    above = level + 1
    if claim.state not in APPEALABLE or claim.appeal_id is not None or above > REVIEWER_LEVEL:
        return None
    if above == REVIEWER_LEVEL and context.plan.ladder.reviewer is None:
        return None
    return (claim.ended_at or claim.decided_at) + timedelta(days=context.plan.policy.appeal_days)


def open_direct_engagement(
    account: Account, registration: Registration, context: Context, new_id: NewId
) -> Case:
    """Direct sales are at the customer already: a person says whether the registration stands."""
    if pending_case(account, "direct_engagement", registration.id) is not None:
        raise AlreadyOpen("There is an undecided case of direct engagement on this registration.")
    members = [c for c in account.of_registration(registration.id) if c.state in ACTIVE]
    if not members:
        raise NothingToEnd("None of this registration's claims is live or open.")
    return open_case(
        account,
        context.plan,
        "direct_engagement",
        new_id("cnf"),
        registration,
        tuple(claim.id for claim in members),
        context.now,
    )


def _appealed(account: Account, registration: Registration, product_line: str | None) -> Claim:
    """The registration's latest claim on the line, if it can be appealed."""
    claims = [
        claim
        for claim in account.of_registration(registration.id)
        if product_line in (None, claim.product_line)
    ]
    lines = {claim.product_line for claim in claims if claim.state in APPEALABLE}
    if not lines:
        raise NotAppealable("Only a claim that was rejected, closed or revoked can be appealed.")
    if len(lines) > 1:
        raise NotAppealable("Several claims can be appealed: name the product line.")
    claim = next(c for c in reversed(claims) if c.product_line in lines)
    if claim.state not in APPEALABLE:
        raise NotAppealable(f"The claim on this product line is {claim.state}.")
    return claim


def _ended_by_ruling(account: Account, claim: Claim) -> Case | None:
    """The case whose ruling ended the claim."""
    case = account.cases.get(claim.case_id or "")
    if case is None or case.state != "decided" or case.closed_at != claim.ended_at:
        return None
    return case


def _course(context: Context, registration: Registration, first: int) -> Course:
    plan, now = context.plan, context.now
    if first < REVIEWER_LEVEL:
        region, segment = registration.market_region, registration.market_segment
        return Course((stamp(plan, now, region, segment, first),))
    reviewer = plan.ladder.reviewer
    if first > REVIEWER_LEVEL or reviewer is None:
        raise RulingFinal("The last level has ruled; its ruling is final.")
    return Course((Stamp(1, now, (Deadline(REVIEWER_LEVEL, "reviewer", reviewer, None),)),))

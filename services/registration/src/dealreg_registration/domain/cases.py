"""Cases: when they open and when they end by themselves.

The ladder is stamped from the plan in force at the opening (``domain.stamps``). What people do with an
open case is in ``domain.case_steps`` and ``domain.ruling``.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from dealreg_registration.domain.account import Account, Claim, Registration
from dealreg_registration.domain.case import Case, CaseKind, CaseMoved, Last
from dealreg_registration.domain.ladder_terms import kept_with_case
from dealreg_registration.domain.plan import Plan
from dealreg_registration.domain.stamps import stamp
from dealreg_shared.ladder import FIRST_LEVEL, Course

SYSTEM = "system"


def open_case(
    account: Account,
    plan: Plan,
    kind: CaseKind,
    case_id: str,
    registration: Registration,
    claim_ids: tuple[str, ...],
    at: datetime,
    *,
    course: Course | None = None,
    **further: Any,
) -> Case:
    """Open a case in the market of ``registration``. Without ``course`` it starts at the first level."""
    region, segment = registration.market_region, registration.market_segment
    if course is None:
        course = Course((stamp(plan, at, region, segment, FIRST_LEVEL),))
    case = Case(
        id=case_id,
        kind=kind,
        state="open",
        opened_at=at,
        course=course,
        terms=kept_with_case(plan.ladder_terms, at),
        market_region=region,
        market_segment=segment,
        plan_number=plan.number,
        claim_ids=claim_ids,
        **further,
    )
    account.cases[case.id] = case
    account.journal.append(CaseMoved(case, "opened", at))
    return case


def case_of(account: Account, holder: Claim) -> Case | None:
    """The open overlap case that the holding registration is already part of."""
    mine = {claim.id for claim in account.of_registration(holder.registration_id)}
    for case in account.cases.values():
        if case.kind == "overlap" and case.pending and not mine.isdisjoint(case.claim_ids):
            return case
    return None


def pending_case(account: Account, kind: CaseKind, registration_id: str) -> Case | None:
    """The undecided case of this kind on a registration."""
    mine = {claim.id for claim in account.of_registration(registration_id)}
    for case in account.cases.values():
        if case.kind == kind and case.pending and not mine.isdisjoint(case.claim_ids):
            return case
    return None


class Meetings:
    """Claims that meet in one act. Each case opens once, with all of them, or is joined once: one act,
    one notice.
    """

    def __init__(self, account: Account, plan: Plan, new_id: Callable[[str], str], at: datetime):
        self._account = account
        self._plan = plan
        self._new_id = new_id
        self._at = at
        self._opening: dict[str, str] = {}
        self._members: dict[str, list[Claim]] = {}

    def case_with(self, holder: Claim, former: Claim | None = None) -> str:
        """The case in which a claim meets ``holder``; known before the claim's step is written down.
        A ``former`` holder, who stands back, brings its own along: it is the same overlap."""
        case = case_of(self._account, holder)
        if case is not None:
            return case.id
        registration_id = holder.registration_id
        if registration_id not in self._opening:
            brought = None if former is None else case_of(self._account, former)
            self._opening[registration_id] = brought.id if brought else self._new_id("cnf")
        return self._opening[registration_id]

    def meet(self, holder: Claim, contested: Claim) -> None:
        """``contested`` carries the id that ``case_with`` told."""
        case_id = cast(str, contested.case_id)
        self._opening.setdefault(contested.registration_id, case_id)
        self._members.setdefault(case_id, []).extend((holder, contested))

    def close(self) -> None:
        """Open or join the cases. A joining claim does not restart the clocks."""
        for case_id, claims in self._members.items():
            members = tuple(dict.fromkeys(claim.id for claim in claims))
            if (case := self._account.cases.get(case_id)) is not None:
                join(self._account, case, members, self._at)
                continue
            registration = self._account.registrations[claims[1].registration_id]
            open_case(
                self._account, self._plan, "overlap", case_id, registration, members, self._at
            )


def join(account: Account, case: Case, claim_ids: Sequence[str], at: datetime) -> None:
    """Claims become part of a case that is open already; those that are part of it stay as they are."""
    joined = tuple(claim_id for claim_id in claim_ids if claim_id not in case.claim_ids)
    if not joined:
        return
    case = replace(
        case,
        claim_ids=(*case.claim_ids, *joined),
        version=case.version + 1,
        last=Last("joined", SYSTEM, at),
    )
    account.cases[case.id] = case
    account.journal.append(CaseMoved(case, "joined", at, joined))


def open_possible_duplicate(
    account: Account, plan: Plan, claim: Claim, case_id: str, at: datetime, **other: Any
) -> None:
    """A filing's keys name two accounts: a person must say whether they are one. ``other`` says which
    is the other one, and what matched."""
    registration = account.registrations[claim.registration_id]
    members = (claim.id,)
    open_case(account, plan, "possible_duplicate", case_id, registration, members, at, **other)


def close_settled(account: Account, at: datetime) -> None:
    """End every overlap case in which no two live claims meet on one product line any more."""
    for case in list(account.cases.values()):
        if case.kind != "overlap" or not case.pending:
            continue
        lines = [
            account.claims[claim_id].product_line
            for claim_id in case.claim_ids
            if claim_id in account.claims and account.claims[claim_id].live
        ]
        if len(set(lines)) == len(lines):
            closed = case.closed("withdrawn", at, SYSTEM, "withdrawn")
            account.cases[case.id] = closed
            account.journal.append(CaseMoved(closed, "closed", at))

"""Pauses of a case that are over by time alone: nobody has answered what a party was asked."""

from collections.abc import Iterator
from datetime import datetime

from dealreg_registration.domain.account import Account, Claim
from dealreg_registration.domain.case import Case
from dealreg_registration.domain.case_steps import lapse
from dealreg_registration.domain.due import Due, Step, Timeline

LAPSE_RANK = 9


def pauses_over(account: Account, _timeline: Timeline) -> Iterator[Due]:
    """The end of each case's pause. The case stays as it is; people are told that the clock runs."""
    for case in account.cases.values():
        if not case.pending or not any(a.pauses and a.answered_at is None for a in case.asked):
            continue
        end = case.course.pauses[-1].end
        claim = account.claims.get(case.claim_ids[0])
        if end is not None and claim is not None:
            yield Due(end, claim, LAPSE_RANK, _step(case))


def _step(case: Case) -> Step:
    def step(account: Account, _claim: Claim, _timeline: Timeline, at: datetime) -> None:
        lapse(account, account.cases[case.id], at)

    return step

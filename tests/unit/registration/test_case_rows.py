"""A case comes back from its row as it was."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from dealreg_registration.case_rows import case_from, case_row
from dealreg_registration.domain.authority import Acting
from dealreg_registration.domain.case import Case
from dealreg_registration.domain.case_steps import answer, ask, comment, review, take
from dealreg_registration.domain.ladder_terms import LadderTerms, kept_with_case
from tests.factories.registration import START, World, plan, territory


def stored(case: Case) -> Case:
    row: Any = SimpleNamespace(**case_row("acc_1", case))
    return case_from(row, case.claim_ids)


def test_every_step_of_a_case_is_stored_whole() -> None:
    it = World(plan(territory("us", "a", "b", countries=["US"])))
    it.file("a")
    second = it.file("b")
    [case] = it.account.cases.values()
    terms = LadderTerms(pause_for_information=True)
    case = replace(case, terms=kept_with_case(terms, START), claimed="won", appeal_of="cnf_0")
    case = replace(case, barred=("x",), ruled_level=2, ruled_by="y")
    it.account.cases[case.id] = case
    manager = Acting("partner_manager", "manager")
    seen = [case]
    it.after(hours=1)
    case = take(it.account, case, manager, "person:manager", it.now)
    seen.append(case)
    assert take(it.account, case, manager, "person:manager", it.now) is case
    case = ask(
        it.account,
        case,
        manager,
        "person:manager",
        it.now,
        registration_id=second.id,
        question="?",
        wait=timedelta(hours=3),
        entry_id="cen_1",
    )
    seen.append(case)
    it.after(hours=1)
    case = answer(it.account, case, "b", "cen_2", it.now)
    seen.append(case)
    assert comment(it.account, case, "manager", "cen_3", it.now) is case
    case = review(
        it.account,
        case,
        manager,
        "person:manager",
        it.now,
        recommendation="award",
        recommended=(case.claim_ids[1],),
        entry_id="cen_4",
    )
    seen.append(case)
    seen.append(case.closed("decided", it.now, "person:vp", "decided"))
    assert [each.version for each in seen] == [1, 2, 3, 4, 5, 6]
    assert [stored(each) for each in seen] == seen

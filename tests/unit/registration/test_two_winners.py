"""Two partners report that they won one product line: the first counts, and a person says who did."""

from typing import Any

import pytest

from dealreg_registration.domain.account import Corrected, Registration
from dealreg_registration.domain.case import Case
from dealreg_registration.domain.contradicting import contradict, rival_wins
from dealreg_registration.domain.ending import report_result, withdraw
from dealreg_registration.domain.errors import RulingOvertaken
from dealreg_registration.domain.ruling import Ruling, rule
from dealreg_registration.events import events_for
from dealreg_shared.contracts.registration import RegistrationCorrected, RegistrationEnded
from tests.factories.registration import World, plan, territory

LINES = ("platform", "backup")


def world() -> World:
    return World(plan(territory("us", *"abc", countries=["US"])))


def win(w: World, registration: Registration) -> Case | None:
    """As the command does it."""
    w.settle()
    current = w.current(registration)
    if rivals := rival_wins(w.account, current):
        return contradict(w.account, current, "won", w.context, w.new_id, rivals)
    report_result(w.account, current, w.book, w.context, "won")
    return None


def decide(w: World, case: Case, kind: Any) -> list[Any]:
    start = len(w.account.journal)
    ruling = Ruling(kind)
    rule(w.account, case, ruling, w.book, w.context, w.new_id, level=1, by=None, actor="test")
    entries = w.account.journal[start:]
    told = events_for(w.account, entries, w.context.plan, filed_by="staff", correlation_id="cor")
    return [event.data for event in told]


def test_the_second_win_is_not_recorded_and_opens_a_case_with_both() -> None:
    w = world()
    first, second = w.file("a"), w.file("b")
    assert win(w, first) is None
    case = win(w.after(days=1), second)
    assert case is not None
    assert (case.kind, case.claimed) == ("contradiction", "won")
    parties = [w.account.claims[claim_id].registration_id for claim_id in case.claim_ids]
    assert parties == [second.id, first.id]
    assert w.current(second).result is None
    assert (w.state(first), w.state(second)) == ("won", "closed")
    assert win(w.after(days=1), second) is case, "the same report again changes nothing"


def test_upholding_leaves_the_first_win() -> None:
    w = world()
    first, second = w.file("a"), w.file("b")
    win(w, first)
    case = win(w, second)
    assert case is not None
    decide(w, case, "uphold_first")
    assert (w.state(first), w.state(second)) == ("won", "closed")
    assert w.current(second).result is None
    assert w.account.incumbents["platform"] == "a"


def test_correcting_the_record_gives_the_win_to_the_second() -> None:
    w = world()
    first, second = w.file("a"), w.file("b")
    win(w, first)
    case = win(w.after(days=1), second)
    assert case is not None
    told = decide(w.after(hours=1), case, "correct_record")
    assert (w.state(first), w.state(second)) == ("lost", "won")
    assert (w.current(first).result, w.current(second).result) == ("lost", "won")
    assert w.account.incumbents["platform"] == "b"
    [corrected] = [data for data in told if isinstance(data, RegistrationCorrected)]
    assert (corrected.partner_id, corrected.to_result, corrected.protected) == ("a", "lost", True)
    [won] = [data for data in told if isinstance(data, RegistrationEnded)]
    assert won.partner_id == "b"
    assert won.credit is not None
    assert won.credit.sold_by == "b"
    assert [change.to_state for change in won.claims] == ["won"]


def test_a_deal_that_won_other_lines_too_stays_won_by_those() -> None:
    w = world()
    first, second = w.file("a", *LINES), w.file("b")
    win(w, first)
    case = win(w, second)
    assert case is not None
    told = decide(w, case, "correct_record")
    assert w.states(first) == {"platform": "lost", "backup": "won"}
    assert (w.current(first).result, w.state(second)) == ("won", "won")
    assert not any(isinstance(data, RegistrationCorrected) for data in told)


def test_what_was_filed_after_a_win_is_another_deal() -> None:
    w = world()
    win(w, w.file("a"))
    later = w.after(days=200).file("b")
    assert win(w.after(days=1), later) is None
    assert w.current(later).result == "won"


def test_a_win_of_other_lines_contradicts_nothing() -> None:
    w = world()
    first = w.file("a", "platform")
    second = w.file("b", *LINES)
    win(w, first)
    assert w.states(second) == {"platform": "closed", "backup": "protected"}
    assert win(w, second) is None
    assert w.states(second) == {"platform": "closed", "backup": "won"}
    assert w.current(second).result == "won"


def test_who_shares_a_protection_wins_together() -> None:
    w = world()
    first, second = w.file("a"), w.file("b")
    [case] = w.account.cases.values()
    [lead], [co] = (w.account.of_registration(r.id) for r in (first, second))
    decide_co_sell = Ruling("co_sell", lead.id, co_holders=(co.id,))
    rule(w.account, case, decide_co_sell, w.book, w.context, w.new_id, level=1, by=None, actor="t")
    assert win(w, first) is None
    assert win(w, second) is None


def test_a_partner_does_not_contradict_itself_nor_its_distributor() -> None:
    w = world()
    early = w.file("a")
    late = w.after(days=100).file("a")
    assert win(w, late) is None
    assert win(w, early) is None
    v = world()
    distributor = v.file("a", reseller_id="b")
    reseller = v.file("b", distributor_id="a")
    assert win(v, distributor) is None
    assert v.state(reseller) == "duplicate"
    assert win(v, reseller) is None


def test_an_expired_claim_contradicts_who_won_after_it() -> None:
    w = world()
    early = w.file("a")
    late = w.after(days=91).file("b")
    win(w, late)
    case = win(w.after(days=1), early)
    assert case is not None
    decide(w, case, "correct_record")
    assert (w.state(early), w.state(late)) == ("won", "lost")


def test_a_first_win_that_is_off_the_record_meanwhile_is_not_corrected_again() -> None:
    w = world()
    first, second, third = w.file("a"), w.file("b"), w.file("c")
    win(w, first)
    one, two = win(w, second), win(w, third)
    assert one is not None
    assert two is not None
    assert one.id != two.id
    decide(w, one, "correct_record")
    with pytest.raises(RulingOvertaken):
        decide(w, two, "correct_record")
    assert [e.result for e in w.account.journal if isinstance(e, Corrected)] == ["lost"]


def test_who_withdrew_and_then_says_it_won_is_looked_at() -> None:
    w = world()
    first, second = w.file("a"), w.file("b")
    withdraw(w.account, w.current(first), w.book, w.context)
    win(w, second)
    case = win(w, first)
    assert case is not None

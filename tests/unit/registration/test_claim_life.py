"""Information wanted, extensions, reminders, idle releases, renewals."""

from dataclasses import replace

import pytest

from dealreg_registration.domain.account import ClaimMoved
from dealreg_registration.domain.ending import report_result, withdraw
from dealreg_registration.domain.entries import Decided
from dealreg_registration.domain.errors import (
    ExtensionPending,
    NoExtensionPending,
    NothingToAsk,
    NothingToExtend,
    NothingWanted,
    OfferNotForYou,
)
from dealreg_registration.domain.extension import (
    ask_extension,
    grant_extension,
    refuse_extension,
)
from dealreg_registration.domain.filing import touch
from dealreg_registration.domain.flags import NO_FLAGS, Flags, from_json, to_json
from dealreg_registration.domain.information import give, want
from dealreg_registration.domain.offers import decline_offer
from dealreg_registration.domain.plan import Policy
from dealreg_registration.domain.replay import replay
from tests.factories.claim_life import (
    DAY,
    MOMENT,
    WEEK_LATER,
    accept,
    causes,
    claim,
    lose,
    of_three,
)
from tests.factories.registration import START, World, plan, territory

# --- information ------------------------------------------------------------------------------------


def test_a_question_leaves_state_place_and_window_and_has_a_due_date() -> None:
    world = of_three()
    first = world.file("a")
    before = claim(world, first)
    due = want(world.account, [before], "Who signs?", world.context)
    after = claim(world, first)
    assert due == WEEK_LATER
    assert after == replace(before, flags=Flags(information_due=WEEK_LATER))
    give(world.account, [after], world.context)
    assert claim(world, first) == before


def test_standby_that_owes_an_answer_is_skipped_and_keeps_its_place() -> None:
    world = of_three()
    first, second, third = (world.file(who) for who in "abc")
    want(world.account, [claim(world, second)], "Who signs?", world.context)
    withdraw(world.account, first, world.book, world.context)
    assert (world.state(second), world.state(third)) == ("contested", "protected")
    give(world.account, [claim(world, second)], world.context)
    withdraw(world.account, world.current(third), world.book, world.context)
    assert world.state(second) == "protected"


def test_who_was_skipped_by_a_question_alone_is_promoted_with_the_answer() -> None:
    world = of_three()
    first, second = world.file("a"), world.file("b")
    want(world.account, [claim(world, second)], "Who signs?", world.context)
    withdraw(world.account, first, world.book, world.context)
    assert world.account.taken_by("platform") is None
    give(world.after(days=1).account, [claim(world, second)], world.context)
    assert claim(world, second).protected_from == START + DAY
    made = [entry for entry in world.account.journal if isinstance(entry, Decided)][-1]
    assert made.inputs["answered"] == claim(world, second).id
    assert replay(made.inputs, world.context.plan) == made.result


def test_an_answer_takes_nothing_from_who_came_meanwhile_and_gives_nothing_that_was_passed() -> (
    None
):
    world = of_three()
    first, second = world.file("a"), world.file("b")
    want(world.account, [claim(world, second)], "Who signs?", world.context)
    withdraw(world.account, first, world.book, world.context)
    newcomer = world.file("c")
    give(world.account, [claim(world, second)], world.context)
    assert (world.state(newcomer), world.state(second)) == ("protected", "contested")
    lose(world, newcomer)
    decline_offer(world.account, [claim(world, second)], world.book, world.context)
    want(world.account, [claim(world, second)], "And when?", world.context)
    give(world.account, [claim(world, second)], world.context)
    assert world.state(second) == "contested"


def test_unanswered_the_claim_lapses_as_withdrawn_and_frees_its_line() -> None:
    world = of_three()
    first, second = world.file("a"), world.file("b")
    want(world.account, [claim(world, first)], "Who signs?", world.context)
    assert world.at(WEEK_LATER - MOMENT).state(first) == "protected"
    assert world.at(WEEK_LATER).state(first) == "withdrawn"
    assert claim(world, second).protected_from == WEEK_LATER
    assert [case.state for case in world.account.cases.values()] == ["withdrawn"]


def test_who_owes_an_answer_cannot_confirm_an_offer_until_it_is_given() -> None:
    world = of_three()
    first, second = world.file("a"), world.file("b")
    lose(world, first)
    want(world.account, [claim(world, second)], "Who signs?", world.context)
    with pytest.raises(OfferNotForYou):
        accept(world, second)
    give(world.account, [claim(world, second)], world.context)
    accept(world, second)
    assert world.state(second) == "protected"


def test_one_question_at_a_time_on_what_is_live_or_open() -> None:
    world = of_three()
    first = world.file("a")
    with pytest.raises(NothingWanted):
        give(world.account, [claim(world, first)], world.context)
    want(world.account, [claim(world, first)], "Who signs?", world.context)
    with pytest.raises(NothingToAsk, match="already"):
        want(world.account, [claim(world, first)], "And when?", world.context)
    withdraw(world.account, first, world.book, world.context)
    assert claim(world, first).flags == NO_FLAGS
    for claims in ([], [claim(world, first)]):
        with pytest.raises(NothingToAsk):
            want(world.account, claims, "Who signs?", world.context)


# --- extension --------------------------------------------------------------------------------------


def test_an_extension_adds_the_days_in_force_when_it_is_granted() -> None:
    later = plan(
        territory("west", "a", countries=["US"]),
        number=2,
        in_force_from=START + 10 * DAY,
        policy=Policy(extension_days=45),
    )
    world = World(plan(territory("west", "a", countries=["US"])), later)
    first = world.file("a")
    ask_extension(world.account, [claim(world, first)], world.context)
    with pytest.raises(ExtensionPending):
        ask_extension(world.account, [claim(world, first)], world.context)
    world.after(days=20)
    grant_extension(world.account, [claim(world, first)], world.context)
    assert world.state(first) == "extended"
    assert claim(world, first).protected_until == START + 135 * DAY
    assert world.at(START + 135 * DAY).state(first) == "expired"


def test_a_claim_is_extended_once_and_asked_for_again_only_after_a_refusal() -> None:
    world = of_three()
    first = world.file("a")
    ask_extension(world.account, [claim(world, first)], world.context)
    refuse_extension(world.account, [claim(world, first)], "too little", world.context)
    [move] = [m for m in world.account.moves() if m.cause == "extension_refused"]
    assert move.note == "too little"
    with pytest.raises(NoExtensionPending):
        grant_extension(world.account, [claim(world, first)], world.context)
    ask_extension(world.account, [claim(world, first)], world.context)
    grant_extension(world.account, [claim(world, first)], world.context)
    with pytest.raises(NothingToExtend, match="already"):
        ask_extension(world.account, [claim(world, first)], world.context)


def test_a_request_does_not_outlive_the_protection() -> None:
    world = of_three()
    first = world.file("a")
    ask_extension(world.account, [claim(world, first)], world.context)
    assert world.at(START + 90 * DAY).state(first) == "expired"
    assert claim(world, first).flags == NO_FLAGS
    for claims in ([], [claim(world, first)]):
        with pytest.raises(NothingToExtend):
            ask_extension(world.account, claims, world.context)


def test_a_plan_may_extend_nothing() -> None:
    world = of_three(Policy(extension_days=0))
    first = world.file("a")
    with pytest.raises(NothingToExtend, match="plan"):
        ask_extension(world.account, [claim(world, first)], world.context)


# --- reminders --------------------------------------------------------------------------------------


def reminded(world: World) -> list[int]:
    return [
        (entry.at - START).days
        for entry in world.account.journal
        if isinstance(entry, ClaimMoved) and entry.cause == "expiring"
    ]


def test_the_end_is_announced_once_each_time_however_often_is_settled() -> None:
    world = of_three()
    world.file("a")
    for day in range(0, 90, 5):
        world.at(START + day * DAY).settle()
        world.settle()
    world.at(START + 90 * DAY).settle()
    assert reminded(world) == [60, 76, 83]


def test_an_extension_is_announced_anew_and_nothing_of_the_past() -> None:
    world = of_three()
    first = world.file("a")
    world.at(START + 80 * DAY).settle()
    ask_extension(world.account, [claim(world, first)], world.context)
    grant_extension(world.account, [claim(world, first)], world.context)
    world.at(START + 119 * DAY).settle()
    assert reminded(world) == [60, 76, 90, 106, 113]


def test_a_term_shorter_than_a_reminder_has_only_those_within_it() -> None:
    world = of_three(Policy(expiring_days=(90, 120, 89)))
    world.file("a")
    world.at(START + 89 * DAY).settle()
    assert reminded(world) == [1]


# --- activity ---------------------------------------------------------------------------------------

BUSY = Policy(activity_days=30, activity_notice_days=7, expiring_days=())


def test_what_nobody_works_on_is_warned_and_then_released() -> None:
    world = of_three(BUSY)
    first, second = world.file("a"), world.file("b")
    world.at(START + 30 * DAY).settle()
    assert claim(world, first).flags.idle_release_at == START + 37 * DAY
    assert world.at(START + 37 * DAY - MOMENT).state(first) == "protected"
    world.at(START + 37 * DAY)
    assert (world.state(first), world.state(second)) == ("expired", "protected")
    assert claim(world, first).protected_until == START + 37 * DAY
    assert causes(world, first) == ["filed", "idle_warned", "idle"]


def test_a_sign_of_life_resets_the_clock_and_voids_the_warning() -> None:
    world = of_three(BUSY)
    first = world.file("a")
    world.at(START + 33 * DAY).settle()
    touch(world.account, world.current(first), world.context)
    assert claim(world, first).flags == NO_FLAGS
    world.at(START + 62 * DAY)
    assert world.state(first) == "protected"
    assert claim(world, first).flags == NO_FLAGS
    world.at(START + 63 * DAY).settle()
    assert claim(world, first).flags.idle_warned_at == START + 63 * DAY


def test_a_promoted_claim_has_its_full_time_to_act() -> None:
    world = of_three(BUSY)
    first, second = world.file("a"), world.file("b")
    world.at(START + 20 * DAY).settle()
    withdraw(world.account, world.current(first), world.book, world.context)
    world.at(START + 49 * DAY)
    assert world.state(second) == "protected"
    assert claim(world, second).flags == NO_FLAGS


def test_the_rule_is_off_unless_the_plan_says_so() -> None:
    world = of_three()
    first = world.file("a")
    assert world.at(START + 89 * DAY).state(first) == "protected"
    assert "idle_warned" not in causes(world, first)


# --- flags and renewals -----------------------------------------------------------------------------


def test_flags_come_back_from_storage_as_they_were() -> None:
    assert to_json(NO_FLAGS) is None
    assert from_json(None) is NO_FLAGS
    flags = Flags(offered_for=START, offered_until=WEEK_LATER, idle_warned_at=START + MOMENT)
    stored = to_json(flags)
    assert stored is not None
    assert set(stored) == {"offered_for", "offered_until", "idle_warned_at"}
    assert from_json(stored) == flags


def test_a_renewal_comes_from_who_won_the_last_deal() -> None:
    world = of_three()
    first = world.file("a")
    report_result(world.account, first, world.book, world.context, "won")
    stranger = world.file("b", deal_type="renewal")
    assert world.state(stranger) == "rejected"
    assert claim(world, stranger).codes == ("not_incumbent",)
    own = world.file("a", deal_type="renewal")
    assert world.state(own) == "protected"
    other_line = world.file("b", "backup", deal_type="renewal")
    assert world.states(other_line) == {"backup": "protected"}, "nobody has won it yet"
    for made in world.account.journal:
        if isinstance(made, Decided):
            assert replay(made.inputs, world.context.plan) == made.result


def test_a_plan_may_let_anybody_renew() -> None:
    world = of_three(Policy(renewal_incumbent=False))
    world.account.incumbents["platform"] = "a"
    assert world.state(world.file("b", deal_type="renewal")) == "protected"

"""Offers after a loss, information wanted, extensions, reminders, idle releases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dealreg_registration.domain.account import Claim, ClaimMoved, Registration
from dealreg_registration.domain.ending import report_result, revoke, withdraw
from dealreg_registration.domain.entries import Decided
from dealreg_registration.domain.errors import (
    ExtensionPending,
    NoExtensionPending,
    NothingOffered,
    NothingToAsk,
    NothingToExtend,
    NothingWanted,
    NotYourMarket,
    OfferNotForYou,
)
from dealreg_registration.domain.extension import (
    ask_extension,
    grant_extension,
    refuse_extension,
    require_office,
)
from dealreg_registration.domain.filing import touch
from dealreg_registration.domain.flags import NO_FLAGS, Flags, from_json, to_json
from dealreg_registration.domain.information import give, want
from dealreg_registration.domain.offers import accept_offer, decline_offer, void_offer
from dealreg_registration.domain.plan import Ladder, Policy, Standing, StatusPeriod
from dealreg_registration.domain.replay import replay
from tests.factories.registration import START, World, filing, plan, territory

DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)
WEEK_LATER = datetime(2026, 3, 10, tzinfo=UTC)
"""START is a Monday: five business days end with the next one."""


def of_three(policy: Policy | None = None, **more: Any) -> World:
    return World(plan(territory("west", *"abcd", countries=["US"]), policy=policy), **more)


def claim(world: World, registration: Registration) -> Claim:
    [found] = world.account.of_registration(registration.id)
    return found


def lose(world: World, registration: Registration) -> None:
    world.settle()
    report_result(world.account, world.current(registration), world.book, world.context, "lost")


def accept(world: World, registration: Registration) -> None:
    world.settle()
    accept_offer(world.account, [claim(world, registration)], world.context)


def causes(world: World, registration: Registration) -> list[str]:
    return [
        move.cause
        for move in world.account.moves()
        if move.after.registration_id == registration.id
    ]


# --- offers -----------------------------------------------------------------------------------------


def test_a_lost_line_is_offered_to_the_oldest_standby_for_five_business_days() -> None:
    world = of_three()
    first, second, third = (world.file(who) for who in "abc")
    lose(world, first)
    assert claim(world, second).flags == Flags(offered_for=START, offered_until=WEEK_LATER)
    assert claim(world, third).flags == NO_FLAGS
    assert world.account.holder("platform") is None


def test_who_confirms_is_protected_for_a_full_window_from_then_and_the_case_closes() -> None:
    world = of_three()
    first, second = world.file("a"), world.file("b")
    lose(world, first)
    world.after(days=3)
    accept(world, second)
    after = claim(world, second)
    assert (after.state, after.protected_from, after.protected_until, after.flags) == (
        "protected",
        START + 3 * DAY,
        START + 93 * DAY,
        NO_FLAGS,
    )
    [case] = world.account.cases.values()
    assert case.state == "withdrawn"


def test_a_confirmation_is_a_decision_that_can_be_replayed() -> None:
    world = of_three()
    first, second = world.file("a"), world.file("b")
    lose(world, first)
    accept(world, second)
    made = [entry for entry in world.account.journal if isinstance(entry, Decided)][-1]
    assert made.kind == "promotion"
    assert replay(made.inputs, world.context.plan) == made.result
    assert "You confirmed" in made.result["sentence"]


def test_while_it_is_offered_the_line_counts_as_taken() -> None:
    world = of_three()
    first, second = world.file("a"), world.file("b")
    lose(world, first)
    third = world.after(days=1).file("c")
    assert world.state(third) == "contested"
    accept(world, second)
    assert (world.state(second), world.state(third)) == ("protected", "contested")
    filed = [entry for entry in world.account.journal if isinstance(entry, Decided)]
    for made in filed:
        assert replay(made.inputs, world.context.plan) == made.result


def test_an_offer_that_is_not_answered_goes_to_the_next_one_at_its_very_end() -> None:
    world = of_three()
    first, second, third = (world.file(who) for who in "abc")
    lose(world, first)
    world.at(WEEK_LATER - MOMENT).settle()
    assert claim(world, second).offered
    world.at(WEEK_LATER).settle()
    assert claim(world, second).flags == Flags(passed=START)
    assert claim(world, third).flags.offered_until == WEEK_LATER + 8 * DAY
    assert [c.place for c in world.account.standby("platform")] == [2, 3]


def test_when_all_let_it_pass_the_line_is_free_and_standby_waits_on() -> None:
    world = of_three()
    first, second = world.file("a"), world.file("b")
    lose(world, first)
    world.settle()
    decline_offer(world.account, [claim(world, second)], world.book, world.context)
    assert world.account.taken_by("platform") is None
    newcomer = world.file("c")
    assert world.state(newcomer) == "protected"
    withdraw(world.account, newcomer, world.book, world.context)
    assert world.state(second) == "protected", "it kept its place for what ended next"


def test_who_declined_one_vacancy_is_offered_the_next() -> None:
    world = of_three()
    first, second = world.file("a"), world.file("b")
    lose(world, first)
    decline_offer(world.account, [claim(world, second)], world.book, world.context)
    newcomer = world.after(days=1).file("c")
    lose(world.after(days=1), newcomer)
    assert claim(world, second).offered


def test_an_offered_claim_that_is_given_up_passes_the_offer_on() -> None:
    for given_up in (True, False):
        world = of_three()
        first, second, third = (world.file(who) for who in "abc")
        lose(world, first)
        if given_up:
            withdraw(world.account, second, world.book, world.context)
        else:
            revoke(world.account, second, world.book, world.context, "cause")
        assert claim(world, third).offered
        assert world.account.holder("platform") is None


def test_a_loss_by_who_was_offered_the_line_passes_it_on() -> None:
    world = of_three()
    first, second, third = (world.file(who) for who in "abc")
    lose(world, first)
    lose(world, second)
    assert claim(world, third).offered


def test_a_suspended_partner_cannot_confirm_and_is_not_offered_anything() -> None:
    suspended = Standing({"b": [StatusPeriod(START + DAY, True, START + 9 * DAY)]})
    world = of_three(standing=suspended)
    first, second = world.file("a"), world.file("b")
    lose(world, first)
    world.after(days=2).settle()
    with pytest.raises(OfferNotForYou):
        accept(world, second)
    world = of_three(standing=suspended)
    first, second, third = (world.file(who) for who in "abc")
    lose(world.after(days=2), first)
    assert not claim(world, second).offered
    assert claim(world, third).offered


def test_what_is_not_offered_cannot_be_answered() -> None:
    world = of_three()
    first, second = world.file("a"), world.file("b")
    for claims in ([], [claim(world, first)], [claim(world, second)]):
        with pytest.raises(NothingOffered):
            accept_offer(world.account, claims, world.context)
        with pytest.raises(NothingOffered):
            decline_offer(world.account, claims, world.book, world.context)


def test_an_offer_that_is_made_void_is_not_passed_on() -> None:
    world = of_three()
    first, _, third = (world.file(who) for who in "abc")
    lose(world, first)
    void_offer(world.account, "platform", world.now)
    assert not claim(world, third).offered
    assert world.account.taken_by("platform") is None


def test_with_standby_off_a_loss_ends_standby() -> None:
    world = of_three(Policy(standby="off"))
    first, second = world.file("a"), world.file("b")
    lose(world, first)
    assert world.state(second) == "closed"


def test_a_win_elsewhere_ends_an_offer() -> None:
    world = of_three()
    first, second, third = (world.file(who) for who in "abc")
    lose(world, first)
    report_result(world.account, world.current(third), world.book, world.context, "won")
    assert (world.state(second), world.state(third)) == ("closed", "won")
    assert claim(world, second).flags == NO_FLAGS


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


# --- who decides extensions -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "persons", "may"),
    [
        ("partner_manager", {"west-manager"}, True),
        ("partner_manager", {"deputy", "west-manager"}, True),
        ("partner_manager", {"manager"}, False),
        ("partner_manager", set(), False),
        ("vp", {"vp"}, True),
        ("vp", set(), False),
        ("ceo", set(), True),
        ("admin", {"vp"}, False),
        ("auditor", {"vp"}, False),
        (None, set(), False),
    ],
)
def test_extensions_are_for_the_markets_manager_or_above(
    role: str | None, persons: set[str], may: bool
) -> None:
    staffed = plan(ladder=Ladder({"na/smb": "west-manager"}, "manager", "vp", None))
    registration = filing("a", market_region="na", market_segment="smb")
    if may:
        require_office(registration, staffed, role, frozenset(persons))
    else:
        with pytest.raises(NotYourMarket):
            require_office(registration, staffed, role, frozenset(persons))

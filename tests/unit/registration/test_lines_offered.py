"""Offers after a loss: to whom, until when, and who passes them on."""

import pytest

from dealreg_registration.domain.ending import report_result, revoke, withdraw
from dealreg_registration.domain.entries import Decided
from dealreg_registration.domain.errors import (
    NothingOffered,
    OfferNotForYou,
)
from dealreg_registration.domain.flags import NO_FLAGS, Flags
from dealreg_registration.domain.offers import accept_offer, decline_offer, void_offer
from dealreg_registration.domain.plan import Policy, Standing, StatusPeriod
from dealreg_registration.domain.replay import replay
from tests.factories.claim_life import DAY, MOMENT, WEEK_LATER, accept, claim, lose, of_three
from tests.factories.registration import START


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

"""Settle, ends and promotions: at the very instant, under the plan then in force, in order of place."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealreg_registration.domain.account import HOLDING, LIVE, PENDING
from dealreg_registration.domain.amending import amend
from dealreg_registration.domain.ending import report_result, revoke, withdraw
from dealreg_registration.domain.errors import (
    FactAlreadyKnown,
    LineAlreadyFiled,
    NothingToEnd,
    RegistrationEnded,
)
from dealreg_registration.domain.facts import Band, Facts
from dealreg_registration.domain.filing import add_lines
from dealreg_registration.domain.plan import PlanBook, Policy, Standing, StatusPeriod
from dealreg_shared.ladder import level_at
from tests.factories.registration import START, World, partner, plan, territory

DAY = timedelta(days=1)
BOTH = plan(territory("west", "a", "b", "c", countries=["US"]))


def test_protection_is_half_open() -> None:
    world = World(BOTH)
    first = world.file("a")
    world.at(START + 90 * DAY - timedelta(microseconds=1))
    assert world.state(first) == "protected"
    world.at(START + 90 * DAY)
    assert world.state(first) == "expired"


def test_standby_is_promoted_at_the_instant_the_former_ended() -> None:
    world = World(BOTH)
    first = world.file("a")
    second = world.after(days=1).file("b")
    world.at(START + 100 * DAY)
    assert world.state(first) == "expired"
    assert world.state(second) == "protected"
    [claim] = world.account.of_registration(second.id)
    assert claim.protected_from == START + 90 * DAY
    assert claim.protected_until == START + 180 * DAY


def test_a_long_silence_settles_every_end_in_turn() -> None:
    world = World(BOTH)
    registrations = [world.file(who) for who in "abc"]
    world.at(START + 200 * DAY)
    assert [world.state(r) for r in registrations] == ["expired", "expired", "protected"]
    world.at(START + 271 * DAY)
    assert [world.state(r) for r in registrations] == ["expired"] * 3


def test_with_standby_off_nobody_is_promoted() -> None:
    world = World(plan(territory("west", "a", "b", countries=["US"]), policy=Policy(standby="off")))
    world.file("a")
    second = world.file("b")
    world.at(START + 90 * DAY)
    assert world.state(second) == "closed"


def test_promotion_follows_the_plan_then_in_force_and_skips_who_is_out() -> None:
    later = plan(
        territory("west", "a", "c", countries=["US"]),
        number=2,
        in_force_from=START + 10 * DAY,
        partners=[partner("b")],
    )
    world = World(BOTH, later)
    world.file("a")
    skipped = world.file("b")
    promoted = world.file("c")
    world.at(START + 90 * DAY)
    assert world.state(skipped) == "contested"
    assert world.state(promoted) == "protected"


def test_a_new_plan_never_changes_a_running_protection() -> None:
    later = plan(number=2, in_force_from=START + DAY, partners=[partner("a")])
    world = World(BOTH, later)
    first = world.file("a")
    world.at(START + 2 * DAY)
    assert world.state(first) == "protected"


def test_a_new_filing_at_the_instant_of_expiry_finds_the_line_promoted() -> None:
    world = World(BOTH)
    world.file("a")
    second = world.file("b")
    third = world.at(START + 90 * DAY).file("c")
    assert world.state(second) == "protected"
    assert world.state(third) == "contested"


def test_withdrawing_promotes_and_filing_again_goes_to_the_back() -> None:
    world = World(BOTH)
    first = world.file("a")
    second, third = world.file("b"), world.file("c")
    withdraw(world.account, first, world.book, world.context)
    again = world.file("a")
    assert world.state(second) == "protected"
    places = [world.account.of_registration(r.id)[0].place for r in (second, third, again)]
    assert places == [2, 3, 4]


def test_a_loss_is_offered_and_a_win_closes_the_standby() -> None:
    results: tuple[tuple[Literal["won", "lost"], str], ...] = (
        ("lost", "contested"),
        ("won", "closed"),
    )
    for result, expected in results:
        world = World(BOTH)
        first, second = world.file("a"), world.file("b")
        report_result(world.account, first, world.book, world.context, result)
        assert world.state(first) == result
        assert world.state(second) == expected


def test_a_result_on_an_expired_claim_is_recorded_and_its_state_stays() -> None:
    world = World(BOTH)
    first = world.file("a")
    world.at(START + 91 * DAY).settle()
    report_result(world.account, world.current(first), world.book, world.context, "won")
    assert world.state(first) == "expired"
    assert world.current(first).result == "won"


def test_the_first_result_counts() -> None:
    world = World(BOTH)
    first = world.file("a")
    report_result(world.account, first, world.book, world.context, "won")
    report_result(world.account, world.current(first), world.book, world.context, "lost")
    assert world.current(first).result == "won"
    report_result(world.account, world.current(first), world.book, world.context, "won")


def test_revoking_frees_the_line() -> None:
    world = World(BOTH)
    first, second = world.file("a"), world.file("b")
    revoke(world.account, first, world.book, world.context, "no activity")
    assert (world.state(first), world.state(second)) == ("revoked", "protected")
    with pytest.raises(NothingToEnd):
        withdraw(world.account, world.current(first), world.book, world.context)


def test_a_suspended_partners_protection_ends_at_its_release() -> None:
    release = START + 8 * DAY
    standing = Standing({"a": [StatusPeriod(START + 3 * DAY, True, release)]})
    world = World(BOTH, standing=standing)
    first, second = world.file("a"), world.file("b")
    world.at(release - timedelta(seconds=1))
    assert world.state(first) == "protected"
    world.at(release)
    assert world.state(first) == "revoked"
    assert world.account.of_registration(second.id)[0].protected_from == release


def test_reactivation_before_the_release_keeps_the_protection() -> None:
    standing = Standing(
        {
            "a": [
                StatusPeriod(START + 3 * DAY, True, START + 8 * DAY),
                StatusPeriod(START + 5 * DAY, False),
            ]
        }
    )
    world = World(BOTH, standing=standing)
    first = world.file("a")
    world.at(START + 30 * DAY)
    assert world.state(first) == "protected"
    assert standing.last_releases(world.now) == {}


def test_a_case_is_withdrawn_when_one_claim_is_left_and_not_before() -> None:
    world = World(BOTH)
    first, second = world.file("a"), world.file("b")
    world.file("c")
    withdraw(world.account, second, world.book, world.context)
    [case] = world.account.cases.values()
    assert case.state == "open"
    withdraw(world.account, world.current(first), world.book, world.context)
    [case] = world.account.cases.values()
    assert (case.state, case.closed_at) == ("withdrawn", world.now)


def test_the_case_goes_on_with_the_promoted_holder_and_later_claims_join_it() -> None:
    world = World(plan(territory("west", "a", "b", "c", "d", countries=["US"])))
    first = world.file("a")
    world.file("b")
    world.file("c")
    withdraw(world.account, first, world.book, world.context)
    world.file("d")
    [case] = world.account.cases.values()
    assert len(case.claim_ids) == 4


def test_two_lines_of_one_holder_are_one_case() -> None:
    world = World(BOTH)
    world.file("a", "platform", "backup")
    world.file("b", "platform", "backup")
    [case] = world.account.cases.values()
    assert len(case.claim_ids) == 4


def test_the_ladder_is_stamped_and_its_level_changes_at_the_very_second() -> None:
    world = World(BOTH)
    world.file("a")
    world.file("b")
    [case] = world.account.cases.values()
    hours = [timedelta(hours=4), timedelta(hours=24)]
    assert [d.due_at for d in case.deadlines] == [START + hours[0], START + hours[1], None]
    assert [d.person_id for d in case.deadlines] == ["manager", "vp", "ceo"]
    second = timedelta(seconds=1)
    for elapsed, level in (
        (hours[0] - second, 1),
        (hours[0], 2),
        (hours[1] - second, 2),
        (hours[1], 3),
        (hours[1] * 9, 3),
    ):
        assert level_at(case.course, START + elapsed) == level


def test_added_lines_are_new_claims_with_new_places() -> None:
    world = World(BOTH)
    first = world.file("a")
    world.file("b")
    _, decision = add_lines(world.account, first, ["backup"], world.context, world.new_id)
    assert [line.outcome for line in decision.lines] == ["protected"]
    assert [c.place for c in world.account.of_registration(first.id)] == [1, 3]
    with pytest.raises(LineAlreadyFiled):
        add_lines(world.account, world.current(first), ["backup"], world.context, world.new_id)


def test_no_line_is_added_to_what_has_ended() -> None:
    world = World(BOTH)
    first = world.file("a")
    report_result(world.account, first, world.book, world.context, "lost")
    with pytest.raises(RegistrationEnded):
        add_lines(world.account, world.current(first), ["backup"], world.context, world.new_id)


SEGMENTED = plan(
    territory("small", "a", countries=["US"], segments=["smb"]),
    territory("large", "b", countries=["US"], segments=["enterprise"]),
)


def test_an_added_fact_decides_referred_claims_again_with_their_old_place() -> None:
    world = World(SEGMENTED)
    early = world.file("a")
    late = world.file("b")
    assert (world.state(early), world.state(late)) == ("open", "open")
    amend(
        world.account,
        late,
        world.context,
        world.new_id,
        facts=Facts(employees=Band(50, 60)),
    )
    assert (world.state(early), world.state(late)) == ("protected", "referred")
    assert world.account.of_registration(early.id)[0].place == 1
    assert world.current(early).market_segment == "smb"


def test_an_added_fact_never_takes_a_running_protection_away() -> None:
    world = World(
        plan(
            territory("all", "a", countries=["US"]),
            territory("small", "b", countries=["US"], segments=["smb"], minimum_tier_rank=1),
        )
    )
    first = world.file("a")
    amend(world.account, first, world.context, world.new_id, facts=Facts(employees=Band(5, 5)))
    assert world.state(first) == "protected"


def test_a_line_taken_meanwhile_is_queued_for_by_the_old_place() -> None:
    world = World(
        plan(
            territory("small", "a", countries=["US"], segments=["smb"]),
            territory("all", "b", countries=["US"]),
        )
    )
    referred = world.file("a")
    holder = world.file("b")
    assert world.state(referred) == "referred"
    amend(world.account, holder, world.context, world.new_id, facts=Facts(employees=Band(9, 9)))
    assert world.state(referred) == "contested"
    assert world.account.of_registration(referred.id)[0].place == 1
    assert [c.registration_id for c in world.account.standby("platform")] == [referred.id]


def test_a_partner_cannot_change_a_known_fact() -> None:
    world = World(BOTH, facts=Facts(country="US"))
    first = world.file("a")
    with pytest.raises(FactAlreadyKnown, match="country"):
        amend(world.account, first, world.context, world.new_id, facts=Facts(country="DE"))


# --- properties ----------------------------------------------------------------------------------

LINES = ("platform", "backup")
step = st.one_of(
    st.tuples(
        st.just("file"),
        st.sampled_from(["a", "b", "c", "stranger"]),
        st.sets(st.sampled_from(LINES), min_size=1),
    ),
    st.tuples(st.sampled_from(["withdraw", "won", "lost", "revoke"]), st.integers(0, 30)),
    st.tuples(st.just("wait"), st.integers(1, 120)),
)


def run(steps: list[Any], policy: Policy) -> World:
    world = World(
        plan(
            territory("west", "a", "b", countries=["US"]),
            territory("other", "c", countries=["US"], product_lines=["backup"]),
            partners=[partner("stranger")],
            policy=policy,
        )
    )
    filed = []
    for kind, *rest in steps:
        if kind == "wait":
            world.after(days=rest[0])
        elif kind == "file":
            filed.append(world.file(rest[0], *sorted(rest[1])))
        elif filed:
            world.settle()
            registration = world.current(filed[rest[0] % len(filed)])
            try:
                if kind == "withdraw":
                    withdraw(world.account, registration, world.book, world.context)
                elif kind == "revoke":
                    revoke(world.account, registration, world.book, world.context, "cause")
                else:
                    report_result(world.account, registration, world.book, world.context, kind)
            except NothingToEnd:
                pass
        world.settle()
        check(world)
    return world


def check(world: World) -> None:
    claims = list(world.account.claims.values())
    assert sorted(c.place for c in claims) == list(range(1, len(claims) + 1)), "gapless places"
    for line in LINES:
        holders = [c for c in claims if c.product_line == line and c.state in HOLDING]
        assert len(holders) <= 1, "one live protection at most"
    for claim in claims:
        assert (claim.ended_at is None) == (claim.state in LIVE | PENDING)
        if claim.state in HOLDING:
            assert claim.protected_from is not None
            assert claim.protected_until is not None
            assert claim.protected_from <= world.now < claim.protected_until
    for case in world.account.cases.values():
        members = [world.account.claims[c] for c in case.claim_ids]
        lines = [claim.product_line for claim in members if claim.live]
        assert (case.state == "open") == (len(lines) > len(set(lines))), "open while claims meet"


@settings(max_examples=200, deadline=None)
@given(st.lists(step, max_size=25), st.sampled_from(["promote", "off"]))
def test_whatever_happens_the_order_and_the_single_holder_hold(
    steps: list[Any], standby: Literal["promote", "off"]
) -> None:
    run(steps, Policy(standby=standby))


@settings(max_examples=100, deadline=None)
@given(st.lists(step, max_size=15))
def test_the_same_story_gives_the_same_journal(steps: list[Any]) -> None:
    one, other = run(steps, Policy()), run(steps, Policy())
    assert repr(one.account.journal) == repr(other.account.journal)


@settings(max_examples=100, deadline=None)
@given(st.lists(step, max_size=15), st.lists(st.integers(1, 400), min_size=1, max_size=6))
def test_it_does_not_matter_when_a_sweep_ran(steps: list[Any], days: list[int]) -> None:
    often, once = run(steps, Policy()), run(steps, Policy())
    for after in sorted(days):
        often.at(max(often.now, START + after * DAY)).settle()
    once.at(often.now).settle()
    assert often.account.claims == once.account.claims
    assert often.account.cases == once.account.cases


def test_a_plan_is_in_force_from_its_instant_on() -> None:
    first = plan(number=1)
    second = replace(plan(number=2), in_force_from=START)
    book = PlanBook([second, first])
    assert book.at(START - timedelta(microseconds=1)) is first
    assert book.at(START) is second
    assert book.at(START - 2 * DAY) is None

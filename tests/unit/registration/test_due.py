"""What time does to an account: each step at its instant, whenever somebody looks."""

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dealreg_registration.domain.account import Account
from dealreg_registration.domain.plan import Policy, Standing, StatusPeriod
from dealreg_registration.domain.settle import next_due, settle
from tests.factories.registration import START, World, plan, territory

DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)


def everything(account: Account) -> Any:
    return (account.claims, account.cases, account.registrations, account.journal)


def due(world: World) -> Any:
    return next_due(world.account, world.book, world.standing)


def test_the_next_step_is_known_beforehand() -> None:
    world = World(plan(territory("west", "a", "b", countries=["US"])))
    assert due(world) is None
    world.file("a")
    world.after(days=1).file("b")
    for day in (60, 76, 83, 90, 150, 166, 173, 180):
        assert due(world) == START + day * DAY
        world.at(START + day * DAY).settle()
    assert due(world) is None


def test_a_release_that_was_announced_is_a_step_to_come() -> None:
    suspended = Standing({"a": [StatusPeriod(START + DAY, True, START + 6 * DAY)]})
    world = World(plan(territory("west", "a", countries=["US"])), standing=suspended)
    world.file("a")
    assert due(world) == START + 6 * DAY


@settings(max_examples=150)
@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 30)), min_size=1, max_size=6),
    st.lists(st.integers(1, 40 * 24), max_size=12),
    st.dictionaries(st.sampled_from("abcd"), st.integers(1, 200), max_size=2),
)
def test_one_step_to_an_instant_equals_many(
    filed: list[tuple[str, int]], hours: list[int], suspended: dict[str, int]
) -> None:
    standing = Standing(
        {
            who: [StatusPeriod(START + d * DAY, True, START + (d + 5) * DAY)]
            for who, d in suspended.items()
        }
    )
    worlds = [
        World(
            plan(territory("west", *"abcd", countries=["US"]), policy=Policy()), standing=standing
        )
        for _ in range(2)
    ]
    for world in worlds:
        for who, days in filed:
            world.after(days=days).file(who, "platform", "backup")
    often, once = worlds
    for elapsed in hours:
        often.after(hours=elapsed).settle()
    once.at(often.now).settle()
    assert everything(often.account) == everything(once.account)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30)), min_size=1, max_size=5))
def test_nothing_happens_before_the_next_step_and_something_does_at_it(
    filed: list[tuple[str, int]],
) -> None:
    world = World(plan(territory("west", *"abc", countries=["US"])))
    for who, days in filed:
        world.after(days=days).file(who)
    world.settle()
    while (at := due(world)) is not None:
        before = len(world.account.journal)
        settle(world.account, world.book, world.standing, at - MOMENT)
        assert len(world.account.journal) == before
        world.at(at).settle()
        assert len(world.account.journal) > before

"""What time does to an account: each step at its instant, whenever somebody looks."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dealreg_registration.domain.account import ACTIVE, Account, Registration
from dealreg_registration.domain.ending import report_result, withdraw
from dealreg_registration.domain.entries import Decided
from dealreg_registration.domain.errors import DomainError
from dealreg_registration.domain.extension import ask_extension, grant_extension, refuse_extension
from dealreg_registration.domain.filing import touch
from dealreg_registration.domain.flags import NO_FLAGS
from dealreg_registration.domain.information import give, want
from dealreg_registration.domain.offers import accept_offer, decline_offer
from dealreg_registration.domain.plan import Policy, Standing, StatusPeriod
from dealreg_registration.domain.replay import replay
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


ACTS = (
    "file",
    "file",
    "lose",
    "withdraw",
    "win",
    "want",
    "give",
    "ask",
    "grant",
    "refuse",
    "accept",
    "decline",
    "touch",
)
act = st.tuples(st.sampled_from(ACTS), st.integers(0, 5), st.integers(0, 25 * 24))
POLICY = Policy(activity_days=40, extension_days=20)


def do(world: World, filed: list[Registration], kind: str, number: int) -> None:
    """One act, as somebody may try it; what is refused changes nothing."""
    world.settle()
    if kind == "file" or not filed:
        filed.append(world.file("abcd"[number % 4], "platform", *["backup"][: number % 2]))
        return
    account, book, context = world.account, world.book, world.context
    registration = world.current(filed[number % len(filed)])
    claims = [c for c in account.of_registration(registration.id) if c.state in ACTIVE]
    offered = [c for c in account.claims.values() if c.offered]
    acts: dict[str, Callable[[], object]] = {
        "lose": lambda: report_result(account, registration, book, context, "lost"),
        "win": lambda: report_result(account, registration, book, context, "won"),
        "withdraw": lambda: withdraw(account, registration, book, context),
        "want": lambda: want(account, claims, "why?", context),
        "give": lambda: give(account, claims, context),
        "ask": lambda: ask_extension(account, claims, context),
        "grant": lambda: grant_extension(account, claims, context),
        "refuse": lambda: refuse_extension(account, claims, "no", context),
        "accept": lambda: accept_offer(account, offered, context),
        "decline": lambda: decline_offer(account, offered, book, context),
        "touch": lambda: touch(account, registration, context),
    }
    before = len(account.journal)
    try:
        acts[kind]()
    except DomainError:
        assert len(account.journal) == before, "what is refused changes nothing"
    check(world)


def check(world: World) -> None:
    for line in ("platform", "backup"):
        taken = [c for c in world.account.claims.values() if c.product_line == line]
        holders = [c for c in taken if c.holds]
        offered = [c for c in taken if c.offered]
        assert len(holders) + len(offered) <= 1, "one protection or one offer"
    assert all(c.flags == NO_FLAGS for c in world.account.claims.values() if c.state not in ACTIVE)
    for case in world.account.cases.values():
        members = [world.account.claims[c] for c in case.claim_ids]
        lines = [claim.product_line for claim in members if claim.live]
        assert (case.state == "open") == (len(lines) > len(set(lines))), "open while claims meet"
    following = due(world)
    assert following is None or following > world.now


@settings(max_examples=250)
@given(
    st.lists(act, min_size=1, max_size=14),
    st.lists(st.integers(1, 400 * 24), max_size=25),
    st.dictionaries(st.sampled_from("abcd"), st.integers(1, 200), max_size=2),
)
def test_one_step_to_an_instant_equals_many(
    acts: list[tuple[str, int, int]], looks: list[int], suspended: dict[str, int]
) -> None:
    standing = Standing(
        {
            who: [StatusPeriod(START + d * DAY, True, START + (d + 5) * DAY)]
            for who, d in suspended.items()
        }
    )
    often, once = (
        World(plan(territory("west", *"abcd", countries=["US"]), policy=POLICY), standing=standing)
        for _ in range(2)
    )
    looked = sorted(START + timedelta(hours=hours) for hours in looks)
    stories: tuple[list[Registration], list[Registration]] = ([], [])
    for kind, number, hours in acts:
        at = once.now + timedelta(hours=hours)
        while looked and looked[0] <= at:
            often.at(looked.pop(0)).settle()
            check(often)
        for world, filed in zip((often, once), stories, strict=True):
            do(world.at(at), filed, kind, number)
    for instant in looked:
        often.at(instant).settle()
        check(often)
    once.at(often.now).settle()
    assert everything(often.account) == everything(once.account)
    for made in once.account.journal:
        if isinstance(made, Decided):
            assert replay(made.inputs, once.context.plan) == made.result


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

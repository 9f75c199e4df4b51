"""Every stored decision can be made again from its stored inputs and its plan, byte for byte."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealreg_registration.domain.amending import amend
from dealreg_registration.domain.ending import report_result, withdraw
from dealreg_registration.domain.entries import Decided
from dealreg_registration.domain.errors import DomainError
from dealreg_registration.domain.facts import Band, Disagreement, Facts, Location
from dealreg_registration.domain.filing import add_lines, decide_again
from dealreg_registration.domain.plan import (
    NamedAccount,
    Plan,
    Policy,
    Standing,
    StatusPeriod,
)
from dealreg_registration.domain.replay import NotReplayable, replay
from dealreg_shared.db.types import canonical_json
from tests.factories.registration import START, World, partner, plan, territory

DAY = timedelta(days=1)
PARTNERS = ("a", "b", "c", "stranger", "unknown")


def plans(policy: Policy) -> tuple[Plan, Plan]:
    first = plan(
        territory("west", "a", "b", countries=["US"], segments=["smb"]),
        territory("backup", "c", countries=["US"], segments=["smb"], product_lines=["backup"]),
        territory("tagged", "stranger", tags=["cloud"], overlay=True),
        territory("list", "a", accounts=["named"]),
        partners=[partner("stranger", certified=frozenset({"backup"}))],
        named={"domain:parent.com": NamedAccount("named", None, "a", True, False)},
        rates={"EUR": Decimal("1.1")},
        policy=policy,
    )
    second = plan(
        territory("all", "b", "c", countries=["US", "DE"]),
        number=2,
        in_force_from=START + 120 * DAY,
        partners=[partner("a", protection_days=30), partner("stranger")],
        policy=replace(policy, protect_open=not policy.protect_open),
        rates={"EUR": Decimal("1.2")},
    )
    return first, second


step = st.one_of(
    st.tuples(
        st.just("file"),
        st.sampled_from(PARTNERS),
        st.sets(st.sampled_from(["platform", "backup", "nothing"]), min_size=1),
        st.fixed_dictionaries(
            {},
            optional={
                "new_evidence": st.booleans(),
                "disagreements": st.just((Disagreement("employees", 5, 9),)),
                "currency": st.sampled_from(["EUR", "XXX"]),
                "tags": st.just(frozenset({"cloud", "x"})),
                "place_of_use": st.just(Location("DE", None, "10115", "Berlin")),
                "reseller_id": st.sampled_from(PARTNERS),
                "distributor_id": st.sampled_from(PARTNERS),
            },
        ),
    ),
    st.tuples(st.sampled_from(["withdraw", "won", "lost", "add"]), st.integers(0, 30)),
    st.tuples(st.just("learn"), st.integers(0, 30), st.integers(1, 600)),
    st.tuples(st.just("parent")),
    st.tuples(st.just("wait"), st.integers(1, 100)),
)

policies = st.builds(
    Policy,
    standby=st.sampled_from(["promote", "off"]),
    protect_open=st.booleans(),
    minimum_amount=st.sampled_from([None, Decimal(26_000)]),
    cooling_off_days=st.sampled_from([0, 30, 200]),
)

standings = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.tuples(st.integers(0, 200), st.integers(1, 100)).map(
        lambda period: (
            StatusPeriod(START + period[0] * DAY, True, START + (period[0] + 5) * DAY),
            StatusPeriod(START + sum(period) * DAY, False),
        )
    ),
).map(Standing)


def run(
    steps: list[Any], policy: Policy, standing: Standing, employees: Band | None = None
) -> World:
    facts = Facts(country="US", employees=employees)
    world = World(*plans(policy), standing=standing, facts=facts)
    filed: list[Any] = []
    for kind, *rest in steps:
        if kind == "wait":
            world.after(days=rest[0]).settle()
        elif kind == "file":
            filed.append(world.file(rest[0], *sorted(rest[1]), **rest[2]))
        elif kind == "parent":
            world.settle()
            world.account.parent_keys = frozenset({"domain:parent.com"})
            decide_again(world.account, world.context, world.new_id, amended=None)
        elif filed:
            world.settle()
            act(world, kind, world.current(filed[rest[0] % len(filed)]), rest[1:])
    world.after(days=200).settle()
    return world


def act(world: World, kind: str, registration: Any, rest: list[int]) -> None:
    account, context = world.account, world.context
    try:
        if kind == "withdraw":
            withdraw(account, registration, world.book, context)
        elif kind == "learn":
            facts = Facts(employees=Band(rest[0], rest[0]))
            amend(account, registration, context, world.new_id, facts=facts, by="staff")
        elif kind == "add":
            add_lines(account, registration, ["backup"], context, world.new_id)
        else:
            result: Literal["won", "lost"] = "won" if kind == "won" else "lost"
            report_result(account, registration, world.book, context, result)
    except DomainError:
        pass


def decided(world: World) -> list[Decided]:
    return [entry for entry in world.account.journal if isinstance(entry, Decided)]


def assert_replayed(world: World) -> None:
    by_number = {each.number: each for each in plans_of(world)}
    for entry in decided(world):
        stored: Mapping[str, Any] = json.loads(canonical_json(entry.inputs))
        again = replay(stored, by_number[entry.plan_number])
        assert canonical_json(again) == canonical_json(entry.result)


def plans_of(world: World) -> list[Plan]:
    instants = (START, START + 365 * DAY)
    return [found for at in instants if (found := world.book.at(at)) is not None]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(step, min_size=3, max_size=15),
    policies,
    standings,
    st.sampled_from([None, Band(50, 50)]),
)
def test_every_decision_is_made_again_from_what_is_stored(
    steps: list[Any], policy: Policy, standing: Standing, employees: Band | None
) -> None:
    assert_replayed(run(steps, policy, standing, employees))


CLOUD = {"tags": frozenset({"cloud"})}
FILE_A: Any = ("file", "a", {"platform"}, {})
LEARN = ("learn", 0, 50)


@pytest.mark.parametrize(
    ("steps", "policy", "kind"),
    [
        ([LEARN, FILE_A], Policy(), "filing"),
        ([FILE_A, ("add", 0)], Policy(), "lines"),
        ([FILE_A, LEARN], Policy(), "facts"),
        ([FILE_A, LEARN, ("file", "b", {"platform"}, {})], Policy(), "promotion"),
        ([FILE_A, LEARN, ("file", "stranger", {"platform"}, CLOUD)], Policy(), "promotion"),
        ([("file", "b", {"platform"}, {}), ("file", "a", {"backup"}, {})], Policy(), "filing"),
        (
            [
                ("file", "a", {"platform"}, {"distributor_id": "b"}),
                ("file", "b", {"platform"}, {"reseller_id": "a"}),
                LEARN,
            ],
            Policy(),
            "facts",
        ),
        (
            [FILE_A, LEARN, ("wait", 95), FILE_A],
            Policy(cooling_off_days=30),
            "filing",
        ),
        (
            [
                FILE_A,
                LEARN,
                ("wait", 95),
                ("file", "a", {"platform"}, {"new_evidence": True}),
            ],
            Policy(cooling_off_days=30),
            "filing",
        ),
    ],
)
def test_each_kind_of_decision_is_made_again(steps: list[Any], policy: Policy, kind: str) -> None:
    world = run(steps, policy, Standing())
    assert kind in {entry.kind for entry in decided(world)}
    assert_replayed(world)


def test_the_cooling_off_is_in_the_inputs() -> None:
    world = run([FILE_A, LEARN, ("wait", 95), FILE_A], Policy(cooling_off_days=30), Standing())
    last = decided(world)[-1]
    assert last.result["lines"][0]["codes"] == ["cooling_off"]
    assert [claim["state"] for claim in last.inputs["claims"]] == ["expired"]


def test_what_is_empty_is_left_out_and_no_company_name_is_kept() -> None:
    world = World(*plans(Policy()))
    world.file("a")
    [entry] = decided(world)
    assert set(entry.inputs) == {"now", "filing", "lines", "facts", "keys", "last_place"}
    assert "Customer" not in json.dumps(entry.inputs)


def test_inputs_that_lead_to_no_promotion_are_refused() -> None:
    nobody = {"now": "2026-03-02T09:00:00Z", "facts": {}, "keys": [], "last_place": 0}
    with pytest.raises(NotReplayable, match="standby"):
        replay(nobody | {"standby": "platform"}, plans(Policy())[0])

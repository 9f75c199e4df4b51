"""Precedents: the facts that make cases alike, told in words, and what alike cases suggest."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealreg_registration.domain.account import Registration
from dealreg_registration.domain.facts import Band, Facts
from dealreg_registration.domain.precedents import (
    SIMILAR,
    WEIGHTS,
    WORDS,
    Precedent,
    departs,
    features_of,
    likeness,
    most_alike,
    outcome_of,
    suggestion,
)
from dealreg_registration.domain.ruling import Ruling
from tests.factories.registration import World, partner, plan, territory

AT = datetime(2026, 5, 1, tzinfo=UTC)
PARTNERS = (partner("a", tier_rank=2), partner("b"), partner("c"))
FIRST = {"roles": "both primary", "segment": "smb", "product_overlap": "complete"}


def features(world: World) -> dict[str, str]:
    [case] = world.account.cases.values()
    return features_of(world.account, case, world.book)


def met(**changes: Any) -> World:
    world = World(
        plan(territory("us", "a", "b", "c", countries=["US"]), partners=PARTNERS),
        facts=Facts(country="US", employees=Band(50, 50)),
    )
    world.file("a", "platform", "backup", amount_base=Decimal(48_000))
    world.after(hours=5).file("b", *changes.get("lines", ("platform", "backup")))
    return world


def test_the_facts_of_a_case() -> None:
    assert features(met()) == {
        "roles": "primary before secondary",
        "deal_types": "new",
        "amount": "10,000 to under 100,000",
        "region": "na",
        "segment": "smb",
        "named_account": "no",
        "head_start": "under a day",
        "product_overlap": "complete",
        "parties": "two",
        "tiers": "first above",
    }
    assert features(met(lines=("platform",)))["product_overlap"] == "partial"


def test_a_third_party_joins_and_the_facts_follow() -> None:
    world = met()
    world.after(days=9).file("c", "platform", deal_type="expansion")
    found = features(world)
    assert (found["parties"], found["deal_types"]) == ("more than two", "expansion and new")
    assert (found["head_start"], found["product_overlap"]) == ("under a day", "partial")


def test_the_facts_name_no_partner_account_or_person() -> None:
    world = met()
    world.account.name = "Customer"
    told = " ".join(features(world).values()).lower()
    for secret in ("customer", "domain:", "acc_1", "reg_", "clm_", "48000", "48,000"):
        assert secret not in told


@pytest.mark.parametrize(
    ("lead", "band"),
    [
        (timedelta(minutes=59), "under an hour"),
        (timedelta(hours=1), "under a day"),
        (timedelta(days=1), "under a week"),
        (timedelta(days=7), "under a month"),
        (timedelta(days=30), "a month or more"),
    ],
)
def test_head_starts_are_banded(lead: timedelta, band: str) -> None:
    world = World(plan(territory("us", "a", "b", countries=["US"]), partners=PARTNERS))
    world.file("a")
    world.at(world.now + lead).file("b")
    assert features(world)["head_start"] == band


def claim_of(world: World, registration: Registration) -> str:
    return world.account.of_registration(registration.id)[0].id


def test_to_award_the_line_to_the_first_is_to_uphold_the_first() -> None:
    world = World(plan(territory("us", "a", "b", countries=["US"]), partners=PARTNERS))
    first, second = world.file("a"), world.file("b")
    [case] = world.account.cases.values()
    for ruling, expected in (
        (Ruling("uphold_first"), "uphold_first"),
        (Ruling("award", claim_of(world, first)), "uphold_first"),
        (Ruling("award", claim_of(world, second)), "award"),
        (Ruling("award", "clm_unknown"), "award"),
        (Ruling("release_all"), "release_all"),
    ):
        assert outcome_of(world.account, case, ruling) == expected


def precedent(
    id_: str, found: Mapping[str, str], outcome: str = "award", days: int = 0
) -> Precedent:
    return Precedent(id_, outcome, found, AT + timedelta(days=days), 1)


def test_likeness_is_told_in_words() -> None:
    other = FIRST | {"segment": "enterprise", "tiers": "equal"}
    found = likeness(FIRST, precedent("cnf_1", other))
    assert found.in_words() == (
        "same: roles both primary, product overlap complete; "
        "differs: segment smb, not enterprise, tiers unknown, not equal"
    )
    assert found.share == pytest.approx(5 / 8)


def test_the_three_most_alike_come_first_and_the_latest_of_equals() -> None:
    near = {**FIRST, "segment": "mid"}
    ranked = most_alike(
        FIRST,
        [
            precedent("far", {"roles": "all secondary"}),
            precedent("old", FIRST),
            precedent("near", near, days=9),
            precedent("new", FIRST, days=2),
        ],
    )
    assert [it.precedent.case_id for it in ranked] == ["new", "old", "near", "far"]


def test_only_similar_precedents_that_agree_suggest_anything() -> None:
    two = [precedent("x", FIRST), precedent("y", FIRST, days=1)]
    suggested = suggestion(most_alike(FIRST, two))
    assert suggested is not None
    assert (suggested.outcome, suggested.case_ids) == ("award", ("y", "x"))
    assert departs(suggested, "uphold_first") == ("y", "x")
    assert departs(suggested, "award") == departs(None, "award") == ()
    assert suggestion(most_alike(FIRST, two[:1])) is None, "one alone is no practice"
    split = [*two, precedent("z", FIRST, "co_sell", days=2)]
    assert suggestion(most_alike(FIRST, split)) is None, "they do not agree"
    far = [precedent(n, FIRST | {"roles": "unassigned"}) for n in "xy"]
    assert suggestion(most_alike(FIRST, far)) is None, "they are not alike enough"


some_features = st.dictionaries(st.sampled_from(sorted(WEIGHTS)), st.sampled_from("xyz"))


@given(some_features, some_features)
def test_likeness_is_fair(one: dict[str, str], other: dict[str, str]) -> None:
    there, back = likeness(one, precedent("p", other)), likeness(other, precedent("p", one))
    assert there.share == back.share
    assert 0 <= there.share <= 1
    assert likeness(one, precedent("p", one)).share == (1.0 if one else 0.0)
    assert len(there.same) + len(there.differs) == len({*one, *other})
    assert SIMILAR <= 1
    assert WORDS.keys() == WEIGHTS.keys()

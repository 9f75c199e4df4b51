"""Which markets an assignment covers, and who has standing there."""

from datetime import date
from typing import Any

import pytest

from dealreg_coverage.domain.covering import covers_of, lines_of, markets_of, posts_on
from dealreg_coverage.domain.plan import MarketId, Plan, Territory
from tests.factories.coverage import partner, plan

DAY = date(2026, 3, 1)
WEST_SMB = MarketId("west", "smb")


def territory_plan(match: dict[str, Any], **changed: Any) -> Plan:
    return plan(
        territories=[{"id": "t", "name": "T", "match": match, **changed}],
        assignments=[{"id": "a", "territory": "t", "partner": "ada"}],
        named_accounts=[
            {"id": "n-west", "name": "N", "country": "US", "subdivision": "US-CA"},
            {"id": "n-lost", "name": "L"},
        ],
    )


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({}, {"west/smb", "west/ent", "east/smb", "east/ent"}),
        ({"regions": ["west"]}, {"west/smb", "west/ent"}),
        ({"segments": ["smb"]}, {"west/smb", "east/smb"}),
        ({"countries": ["CA"]}, {"east/smb", "east/ent"}),
        ({"countries": ["US"]}, {"west/smb", "west/ent", "east/smb", "east/ent"}),
        ({"countries": ["US"], "regions": ["east"]}, {"east/smb", "east/ent"}),
        ({"countries": ["DE"]}, set()),
        ({"subdivisions": ["US-WA"], "segments": ["ent"]}, {"west/ent"}),
        ({"subdivisions": ["CA-ON"], "segments": ["ent"]}, {"east/ent"}),
        ({"subdivisions": ["US-TX"]}, set()),
        ({"postal_prefixes": ["CA:K1"], "segments": ["smb"]}, {"east/smb"}),
        ({"cities": ["CA:Ottawa"], "segments": ["smb"]}, {"east/smb"}),
        ({"naics": ["51"], "segments": ["smb"]}, {"west/smb", "east/smb"}),
        ({"accounts": ["n-west", "n-lost"], "segments": ["smb"]}, {"west/smb"}),
        ({"accounts": ["n-lost"]}, set()),
    ],
)
def test_a_territory_covers_the_markets_it_intersects(
    match: dict[str, Any], expected: set[str]
) -> None:
    made = territory_plan(match)
    assert {str(market) for market in markets_of(made, made.territories[0])} == expected


def everyone(_partner: str) -> bool:
    return True


def test_kinds_of_standing() -> None:
    for match, changed, kind in (
        ({"regions": ["west"]}, {}, "covering"),
        ({"regions": ["west"]}, {"overlay": True}, "overlay"),
        ({"accounts": ["n-west"]}, {}, "narrow"),
        ({"regions": ["west"], "tags": ["public"]}, {}, "narrow"),
    ):
        posts = posts_on(territory_plan(match, **changed), DAY)
        assert [cover.kind for cover in covers_of(posts[WEST_SMB], everyone)] == [kind]


def test_the_best_kind_counts_where_a_partner_has_several() -> None:
    made = plan(
        territories=[
            {"id": "over", "name": "O", "overlay": True},
            {"id": "t", "name": "T", "match": {"segments": ["smb"]}},
        ],
        assignments=[
            {"id": "a", "territory": "over", "partner": "ada"},
            {"id": "b", "territory": "t", "partner": "ada"},
        ],
    )
    posts = posts_on(made, DAY)
    assert covers_of(posts[WEST_SMB], everyone)[0].kind == "covering"
    assert covers_of(posts[MarketId("west", "ent")], everyone)[0].kind == "overlay"


def test_validity_tier_and_activity_decide_who_stands() -> None:
    made = plan(
        partners=[partner("ada"), partner("ben", tier="base"), partner("cy")],
        territories=[{"id": "t", "name": "T", "minimum_tier": "gold"}],
        assignments=[
            {"id": "a", "territory": "t", "partner": "ada", "valid_from": "2026-03-01"},
            {"id": "b", "territory": "t", "partner": "ben"},
            {"id": "c", "territory": "t", "partner": "cy", "valid_to": "2026-03-01"},
            {"id": "d", "territory": "t", "direct": "person"},
        ],
    )

    def on(day: date, suspended: str = "") -> list[str]:
        posts = posts_on(made, day)
        return [c.partner_id for c in covers_of(posts[WEST_SMB], lambda p: p != suspended)]

    assert on(date(2026, 2, 28)) == ["cy"]
    assert on(date(2026, 3, 1)) == ["ada"]
    assert on(date(2026, 3, 1), suspended="ada") == []


def test_an_exclusive_of_the_whole_market_takes_the_standing_of_broader_ones() -> None:
    def standing(match: dict[str, Any], **assignment: Any) -> set[str]:
        made = plan(
            territories=[
                {"id": "wide", "name": "W", "match": {"regions": ["west"]}},
                {"id": "over", "name": "O", "overlay": True},
                {"id": "own", "name": "E", "match": match},
            ],
            assignments=[
                {"id": "a", "territory": "wide", "partner": "ada"},
                {"id": "b", "territory": "over", "partner": "cy"},
                {"id": "c", "territory": "own", "exclusive": True, **assignment},
            ],
        )
        posts = posts_on(made, DAY)[WEST_SMB]
        return {cover.partner_id for cover in covers_of(posts, everyone)}

    whole = {"regions": ["west"], "segments": ["smb"]}
    assert standing(whole, partner="ben") == {"ben", "cy"}
    assert standing(whole, direct="person") == {"cy"}
    assert standing({**whole, "product_lines": ["core"]}, partner="ben") == {"ada", "ben", "cy"}
    assert standing({}, partner="ben") == {"ada", "ben", "cy"}


def test_the_lines_of_a_market_are_those_its_territories_ask_for() -> None:
    made = territory_plan({"product_lines": ["edge"]})
    assert lines_of(made, posts_on(made, DAY)[WEST_SMB]) == ("edge",)
    assert lines_of(made, ()) == ("core", "edge")
    everything = plan()
    assert lines_of(everything, posts_on(everything, DAY)[WEST_SMB]) == ("core", "edge")


def test_territories_are_values() -> None:
    assert Territory("t") == Territory("t")

"""Exclusive assignments that clash: held against the matching that decisions use."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dealreg_registration.domain.match import Target, match
from dealreg_registration.domain.plan_exclusives import check_exclusives
from dealreg_registration.domain.plan_fault import Fault
from dealreg_registration.domain.plan_tree import Known, tree_of
from dealreg_registration.domain.territory import Territory

KNOWN = Known((), (), (), (), {})

REGIONS = [
    {"id": "west", "subdivisions": ["US-CA"], "countries": ["JP"]},
    {"id": "east", "subdivisions": ["US-NY"]},
    {"id": "emea", "countries": ["DE"]},
]
REGION_OF = {"US-CA": "west", "US-NY": "east", "JP": "west", "DE": "emea"}

DIMENSIONS: dict[str, list[str]] = {
    "regions": ["west", "east", "emea"],
    "countries": ["US", "DE", "JP"],
    "subdivisions": ["US-CA", "US-NY", "US-TX", "DE-BY"],
    "postal_prefixes": ["US:94", "US:941", "DE:8"],
    "cities": ["US:Reno", "DE:Ulm"],
    "accounts": ["n1", "n2"],
    "segments": ["smb", "ent"],
    "product_lines": ["core", "edge"],
    "naics": ["54", "541", "33"],
    "sic": ["73", "737"],
    "tags": ["x", "y"],
}


@lru_cache(maxsize=1)
def universe() -> tuple[Target, ...]:
    """Every kind of claim that the values above can tell apart."""
    places: list[dict[str, Any]] = []
    for country, subdivisions, postals, cities in (
        ("US", ("US-CA", "US-NY", "US-TX"), ("US:940", "US:941", None), ("US:reno", None)),
        ("DE", ("DE-BY", None), ("DE:8", None), ("DE:ulm", None)),
        ("JP", (None,), (None,), (None,)),
    ):
        for subdivision, postal, city in product(subdivisions, postals, cities):
            region = REGION_OF.get(subdivision or "") or REGION_OF.get(country)
            places.append(
                {
                    "region": region,
                    "country": country,
                    "subdivision": subdivision,
                    "postal": postal,
                    "city": city,
                }
            )
    return tuple(
        Target(
            **place,
            named_id=named,
            segment=segment,
            naics=naics,
            sic=sic,
            product_line=line,
            tags=frozenset({"x", "y"}),
        )
        for place, named, segment, line, naics, sic in product(
            places,
            ("n1", "n2", None),
            ("smb", "ent"),
            ("core", "edge"),
            ("5400", "5410", "3300", None),
            ("7300", "7370", None),
        )
    )


def clashes(*matches: dict[str, list[str]], **changes: Any) -> list[str]:
    """Where the faults of exclusive assignments to territories with these matches stand."""
    return [fault.path for fault in faults_of(*matches, **changes)]


def faults_of(*matches: dict[str, list[str]], **changes: Any) -> list[Fault]:
    document = {
        "regions": REGIONS,
        "territories": [{"id": f"t{i}", "match": dims} for i, dims in enumerate(matches)],
        "assignments": [
            {"id": f"a{i}", "territory": f"t{i}", "partner": f"p{i}", "exclusive": True}
            | {name: values[i] for name, values in changes.items()}
            for i in range(len(matches))
        ],
    }
    return list(check_exclusives(tree_of(document, (), KNOWN)))


def really_clash(first: dict[str, list[str]], second: dict[str, list[str]]) -> bool:
    """Whether some claim matches both with the same specificity."""

    def territory(dims: dict[str, list[str]]) -> Territory:
        values: dict[str, Any] = {
            name: tuple(v) if name in ("postal_prefixes", "naics", "sic") else frozenset(v)
            for name, v in dims.items()
        }
        if "cities" in values:
            values["cities"] = frozenset(f"{c[:3]}{c[3:].casefold()}" for c in dims["cities"])
        return Territory("t", "T", **values)

    one, other = territory(first), territory(second)
    return any(
        (found := match(one, target)) is not None and found == match(other, target)
        for target in universe()
    )


Dims = dict[str, list[str]]


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Dims, Dims]:
    """Two territories that use nearly the same dimensions, so that about half of them meet."""
    names = st.sampled_from(sorted(DIMENSIONS))
    shared = draw(st.lists(names, max_size=4, unique=True))

    def one() -> Dims:
        own = draw(st.lists(names, max_size=1))
        return {
            name: draw(
                st.lists(st.sampled_from(DIMENSIONS[name]), min_size=1, max_size=2, unique=True)
            )
            for name in sorted({*shared, *own})
        }

    return one(), one()


@given(pairs())
@example(({"countries": ["US"]}, {"countries": ["US"], "regions": ["west"]}))
@example(({"subdivisions": ["US-TX"]}, {"subdivisions": ["US-TX"], "regions": ["west"]}))
@example(
    ({"accounts": ["n1"], "countries": ["US"]}, {"accounts": ["n1"], "subdivisions": ["DE-BY"]})
)
@example(({"naics": ["54"]}, {"sic": ["73"]}))
@settings(max_examples=250, deadline=None)
def test_a_clash_is_reported_exactly_when_a_claim_could_match_both_alike(
    pair: tuple[Dims, Dims],
) -> None:
    first, second = pair
    assert bool(clashes(first, second)) == really_clash(first, second)


def test_the_later_of_two_exclusives_is_named() -> None:
    assert clashes({"countries": ["DE"]}, {"countries": ["DE", "JP"]}) == [
        "/assignments/1/exclusive"
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"partner": ["same", "same"]},
        {"exclusive": [True, False]},
        {"valid_to": ["2027-04-01", None], "valid_from": [None, "2027-04-01"]},
    ],
)
def test_one_holder_or_other_days_do_not_clash(changes: dict[str, Any]) -> None:
    assert clashes({"countries": ["DE"]}, {"countries": ["DE"]}, **changes) == []


def test_a_shared_day_clashes() -> None:
    days = {"valid_to": ["2027-04-02", None], "valid_from": [None, "2027-04-01"]}
    assert clashes({"countries": ["DE"]}, {"countries": ["DE"]}, **days)


def test_one_that_meets_many_is_named_once_with_all_that_it_meets() -> None:
    narrow = [{"countries": [code]} for code in ("DE", "JP", "US")]
    wide = {"countries": ["DE", "JP", "US"]}

    [fault] = faults_of(narrow[0], wide, *narrow[1:])

    assert fault.path == "/assignments/1/exclusive"
    assert all(f"`a{n}` (territory `t{n}`)" in fault.sentence for n in range(4))
    assert len(faults_of(*narrow[:2], *narrow[:2])) == 2  # two causes


def test_one_territory_given_to_many_is_one_fault() -> None:
    territory = {"id": "t", "match": {"countries": ["DE"]}}
    given = [
        {"id": f"a{n}", "territory": "t", "partner": f"p{n}", "exclusive": True} for n in range(60)
    ]
    document = {"regions": REGIONS, "territories": [territory], "assignments": given}

    [fault] = check_exclusives(tree_of(document, (), KNOWN))

    assert fault.path == "/assignments/59/exclusive"
    assert "and 48 more" in fault.sentence


def groups() -> Iterator[dict[str, list[str]]]:
    """Many exclusives in one country, told apart by line and segment alone."""
    for line in range(60):
        for segment in ("smb", "ent"):
            yield {"countries": ["DE"], "product_lines": [f"l{line}"], "segments": [segment]}


def test_large_groups_are_split_without_losing_a_pair() -> None:
    apart = list(groups())
    assert clashes(*apart) == []
    assert clashes(*apart, apart[7]) == [f"/assignments/{len(apart)}/exclusive"]
    anywhere = {"countries": ["DE"], "product_lines": [f"l{n}" for n in range(60)]}
    assert clashes(*apart, anywhere) == []  # without a segment it is less specific
    both = anywhere | {"segments": ["smb", "ent"]}
    assert clashes(*apart, both) == [f"/assignments/{len(apart)}/exclusive"]

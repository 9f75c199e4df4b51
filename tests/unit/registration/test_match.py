"""The index finds what a scan finds, in the same order; specificity is as rules.md words it."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from dealreg_registration.domain.match import Target, TerritoryIndex, match
from dealreg_registration.domain.territory import Territory

COUNTRIES = ("US", "DE", "FR")
SUBDIVISIONS = ("US-CA", "US-NY", "DE-BY")


def some(values: Sequence[str], size: int = 2) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(values), max_size=size)


territories = st.builds(
    Territory,
    id=st.uuids().map(str),
    name=st.just("t"),
    regions=some(("na", "emea")),
    countries=some(COUNTRIES),
    subdivisions=some(SUBDIVISIONS),
    postal_prefixes=some(("US:9", "US:94", "US:941", "DE:8")).map(lambda p: tuple(sorted(p))),
    cities=some(("US:springfield", "DE:berlin")),
    segments=some(("smb", "mid")),
    naics=some(("5", "52", "5221", "3")).map(lambda p: tuple(sorted(p))),
    sic=some(("60", "6021")).map(lambda p: tuple(sorted(p))),
    product_lines=some(("platform", "backup")),
    accounts=some(("n1", "n2"), 1),
    tags=some(("cloud",), 1),
)
targets = st.builds(
    Target,
    named_id=st.sampled_from([None, "n1", "n2"]),
    region=st.sampled_from([None, "na", "emea"]),
    country=st.sampled_from([None, *COUNTRIES]),
    subdivision=st.sampled_from([None, *SUBDIVISIONS]),
    postal=st.sampled_from([None, "US:94105", "US:10001", "DE:80331"]),
    city=st.sampled_from([None, "US:springfield", "DE:berlin"]),
    segment=st.sampled_from([None, "smb", "mid"]),
    naics=st.sampled_from([None, "522110", "3363"]),
    sic=st.sampled_from([None, "6021"]),
    product_line=st.sampled_from([None, "platform", "backup"]),
    any_line=st.booleans(),
    tags=some(("cloud",), 1),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(territories, max_size=30, unique_by=lambda t: t.id), targets)
def test_the_index_finds_what_a_scan_finds_in_the_same_order(
    listed: list[Territory], target: Target
) -> None:
    index = TerritoryIndex(listed)
    assert index.find(target) == index.scan(target)


@settings(max_examples=200, deadline=None)
@given(territories, targets)
def test_an_unknown_fact_matches_only_territories_that_do_not_ask_for_it(
    it: Territory, target: Target
) -> None:
    if match(it, target) is None:
        return
    assert not (it.segments and target.segment is None)
    assert not (it.subdivisions and target.subdivision is None)
    assert not (it.postal_prefixes and target.postal is None)
    assert not ((it.naics or it.sic) and target.naics is None and target.sic is None)


def test_specificity_in_the_order_of_the_rule_book() -> None:
    target = Target(
        named_id="n1",
        region="na",
        country="US",
        subdivision="US-CA",
        postal="US:94105",
        city="US:san francisco",
        segment="smb",
        naics="522110",
        product_line="platform",
        tags=frozenset({"cloud"}),
    )
    ranked = [
        Territory("account", "", accounts=frozenset({"n1"})),
        Territory("postal4", "", postal_prefixes=("US:9410",)),
        Territory("postal2", "", postal_prefixes=("US:94",)),
        Territory("city", "", cities=frozenset({"US:san francisco"})),
        Territory("subdivision", "", subdivisions=frozenset({"US-CA"})),
        Territory("country+industry4", "", countries=frozenset({"US"}), naics=("5221",)),
        Territory("country+industry2", "", countries=frozenset({"US"}), naics=("52",)),
        Territory("country+segment", "", countries=frozenset({"US"}), segments=frozenset({"smb"})),
        Territory(
            "country+line", "", countries=frozenset({"US"}), product_lines=frozenset({"platform"})
        ),
        Territory("country+tag", "", countries=frozenset({"US"}), tags=frozenset({"cloud"})),
        Territory("country", "", countries=frozenset({"US"})),
        Territory("region", "", regions=frozenset({"na"})),
        Territory("all", ""),
    ]
    found = TerritoryIndex(reversed(ranked)).find(target)
    assert [hit.territory.id for hit in found] == [t.id for t in ranked]


def test_ties_go_by_territory_id() -> None:
    index = TerritoryIndex([Territory(id_, "") for id_ in ("b", "a", "c")])
    assert [hit.territory.id for hit in index.find(Target())] == ["a", "b", "c"]

"""What a plan says must fit together: each check alone, and twenty faults at once."""

import contextlib
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dealreg_registration.domain.plan_checks import MOST_OF_A_KIND
from dealreg_registration.plan_content import PART_BYTES
from dealreg_registration.plan_validation import validate_plan
from tests.factories.plans import person, small_plan

Plan = dict[str, Any]
EXAMPLES = sorted(Path(__file__).parents[3].glob("examples/*/plan*.yaml"))


def found(plan: Plan, **known: Any) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The paths and codes of faults and of warnings."""
    report = validate_plan(json.dumps(plan), **known)
    assert report.publishable == (not report.faults)
    assert all(fault.sentence.endswith((".", "?")) for fault in report.faults)
    return (
        [(fault.path, fault.code) for fault in report.faults],
        [(fault.path, fault.code) for fault in report.warnings],
    )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_can_be_published(path: Path) -> None:
    report = validate_plan(path.read_bytes())
    assert report.faults == []
    # The stream's deal desks have no addresses, so that the demo writes to nobody.
    assert {warning.code for warning in report.warnings} <= {"not_reachable"}


def test_the_small_plan_is_sound() -> None:
    assert found(small_plan()) == ([], [])


def named(value: object) -> str:
    """The same in every process, unlike a function's own name."""
    return value[:60] if isinstance(value, str) else "with"


def put(pointer: str, value: Any) -> Callable[[Plan], None]:
    """Sets the value at a JSON pointer; ``-`` appends."""

    def change(plan: Plan) -> None:
        *path, last = pointer.strip("/").split("/")
        place: Any = plan
        for part in path:
            place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
        if last == "-":
            place.append(value)
        elif isinstance(place, list):
            place[int(last)] = value
        else:
            place[last] = value

    return change


def excluded_twice(plan: Plan) -> None:
    plan["named_accounts"].append({"id": "big2", "name": "Big", "domain": "www.BIG.com"})


EXCLUSIVE = {"id": "x", "territory": "t-west", "partner": "bob", "exclusive": True}
WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday")

CASES: list[tuple[Callable[[Plan], Any], str, str]] = [
    (put("/programme/time_zone", "Europe/Berlinn"), "/programme/time_zone", "unknown_time_zone"),
    (put("/programme/currency", "XQX"), "/programme/currency", "unknown_currency"),
    (put("/exchange_rates/0/currency", "ZZZ"), "/exchange_rates/0/currency", "unknown_currency"),
    (
        put("/exchange_rates/0/currency", "USD"),
        "/exchange_rates/0/currency",
        "rate_of_own_currency",
    ),
    (
        put("/exchange_rates/-", {"currency": "EUR", "rate": 1}),
        "/exchange_rates/1",
        "duplicate_entry",
    ),
    (put("/regions/1/id", "west"), "/regions/1/id", "duplicate_id"),
    (put("/people/1/id", "mia"), "/people/1/id", "duplicate_id"),
    (put("/product_lines/1/skus", ["C-1"]), "/product_lines/1/skus/0", "duplicate_sku"),
    (put("/product_lines/1/skus", ["core"]), "/product_lines/1/skus/0", "duplicate_sku"),
    (put("/partners/0/tier", "golden"), "/partners/0/tier", "unknown_tier"),
    (put("/partners/0/segments", ["smd"]), "/partners/0/segments/0", "unknown_segment"),
    (put("/partners/0/certified", ["x"]), "/partners/0/certified/0", "unknown_product_line"),
    (
        put("/partners/0/priority_markets", ["west"]),
        "/partners/0/priority_markets/0",
        "bad_market",
    ),
    (
        put("/partners/0/priority_markets", ["west/big"]),
        "/partners/0/priority_markets/0",
        "unknown_segment",
    ),
    (
        put("/territories/0/match", {"regions": ["wst"]}),
        "/territories/0/match/regions/0",
        "unknown_region",
    ),
    (
        put("/territories/0/match", {"accounts": ["bigg"]}),
        "/territories/0/match/accounts/0",
        "unknown_named_account",
    ),
    (put("/territories/0/minimum_tier", "x"), "/territories/0/minimum_tier", "unknown_tier"),
    (put("/assignments/0/territory", "t"), "/assignments/0/territory", "unknown_territory"),
    (put("/assignments/0/partner", "adda"), "/assignments/0/partner", "unknown_partner"),
    (
        put("/named_accounts/0/direct_owner", "nora"),
        "/named_accounts/0/direct_owner",
        "unknown_person",
    ),
    (put("/region_targets/0/region", "x"), "/region_targets/0/region", "unknown_region"),
    (put("/people/0/manages", ["nowhere/smb"]), "/people/0/manages/0", "unknown_region"),
    (put("/regions/1/countries", ["DE", "XX"]), "/regions/1/countries/1", "unknown_country"),
    (
        put("/regions/0/subdivisions", ["US-CA", "US-ZZ"]),
        "/regions/0/subdivisions/1",
        "unknown_subdivision",
    ),
    (put("/regions/1/subdivisions", ["US-CA"]), "/regions/1/subdivisions/0", "regions_overlap"),
    (put("/regions/1/countries", ["DE", "US"]), "/regions/0/subdivisions/0", "regions_overlap"),
    (
        put("/regions/-", {"id": "z", "name": "Z", "countries": ["DE"]}),
        "/regions/2/countries/0",
        "regions_overlap",
    ),
    (
        put("/partners/0/sites/0/subdivision", "DE-BY"),
        "/partners/0/sites/0/subdivision",
        "subdivision_elsewhere",
    ),
    (
        put("/territories/0/match", {"postal_prefixes": ["XX:1"]}),
        "/territories/0/match/postal_prefixes/0",
        "unknown_country",
    ),
    (
        put("/territories/0/match", {"cities": ["Berlin"]}),
        "/territories/0/match/cities/0",
        "bad_format",
    ),
    (
        put("/territories/0/match", {"countries": ["DE"], "subdivisions": ["US-CA"]}),
        "/territories/0/match",
        "matches_nothing",
    ),
    (
        put("/territories/0/match", {"regions": ["emea"], "countries": ["US"]}),
        "/territories/0/match",
        "matches_nothing",
    ),
    (put("/segments/0/employees_to", 150), "/segments/1", "segments_overlap"),
    (
        put("/segments/1", {"id": "ent", "name": "E", "employees_from": 9, "employees_to": 8}),
        "/segments/1/employees_to",
        "inverted",
    ),
    (put("/segments/1", {"id": "ent", "name": "E"}), "/segments/1", "segment_without_band"),
    (put("/tiers/1/rank", 1), "/tiers/1/rank", "duplicate_rank"),
    (put("/assignments/0/direct", "dora"), "/assignments/0", "assignment_holder"),
    (put("/assignments/0/partner", None), "/assignments/0", "assignment_holder"),
    (put("/assignments/1/valid_to", "2027-01-01"), "/assignments/1/valid_to", "inverted"),
    (
        put("/assignments/0/focus", {"employees_from": 5, "employees_to": 4}),
        "/assignments/0/focus/employees_to",
        "inverted",
    ),
    (
        lambda plan: plan["assignments"].extend(
            [EXCLUSIVE, EXCLUSIVE | {"id": "y", "partner": "ada"}]
        ),
        "/assignments/3/exclusive",
        "exclusives_clash",
    ),
    (put("/policy/named_account_limit", 0), "/named_accounts", "too_many_named_accounts"),
    (
        put("/named_accounts/0/domain", "someone@gmail.com"),
        "/named_accounts/0/domain",
        "no_registrable_domain",
    ),
    (put("/named_accounts/0/domain", None), "/named_accounts/0", "account_without_key"),
    (excluded_twice, "/named_accounts/1", "same_account_twice"),
    (
        put("/region_targets/0/minimum_partners", 3),
        "/region_targets/0/maximum_partners",
        "inverted",
    ),
    (put("/segment_targets/0/partner_share", 61), "/segment_targets", "shares_not_whole"),
    (put("/policy/score_weights", {"presence": 31}), "/policy/score_weights", "weights_not_whole"),
    (put("/policy/ladder", {"vp_hours": 3}), "/policy/ladder/vp_hours", "deadlines_out_of_order"),
    (
        put("/policy/ladder", {"reminders": [80, 50]}),
        "/policy/ladder/reminders",
        "reminders_out_of_order",
    ),
    (put("/policy/ladder", {"reminders": [100]}), "/policy/ladder/reminders/0", "out_of_range"),
    (
        put("/policy/calendar", {"time_zone": "Europe/Berln"}),
        "/policy/calendar/time_zone",
        "unknown_time_zone",
    ),
    (
        put("/policy/calendar", {"hours": {day: [] for day in WEEK}}),
        "/policy/calendar/hours",
        "never_open",
    ),
    (
        put("/policy/calendar", {"hours": {"monday": ["9 to 5"]}}),
        "/policy/calendar/hours/monday/0",
        "bad_format",
    ),
    (
        put("/policy/ladder", {"vp_clock": "business", "vp_calendar": {"holidays_of": "XX"}}),
        "/policy/ladder/vp_calendar/holidays_of",
        "unknown_holidays",
    ),
    (
        put("/policy/calendar", {"holidays_of": "DE-ZZ"}),
        "/policy/calendar/holidays_of",
        "unknown_holidays",
    ),
    (put("/people/1/roles", ["direct_owner"]), "/people", "ladder_incomplete"),
    (put("/people/0/manages", ["west"]), "/people", "ladder_incomplete"),
    (put("/people/-", person("two", "ceo")), "/people/5/roles", "second_of_its_kind"),
    (put("/people/0/email", None), "/people/0/email", "required"),
    (put("/people/4/partner", None), "/people/4/partner", "required"),
    (put("/people/4/roles", ["partner_contact", "reviewer"]), "/people/4/roles", "both_sides"),
    (put("/people/3/roles", []), "/people/3/roles", "no_role"),
    (
        put("/territories/0/match", {"cities": ["DE:" + "x" * PART_BYTES]}),
        "/territories/0",
        "item_too_large",
    ),
]


@pytest.mark.parametrize(
    ("change", "path", "code"),
    CASES,
    ids=lambda value: value[:60] if isinstance(value, str) else "with",
)
def test_a_fault_is_named_with_its_place(
    change: Callable[[Plan], Any], path: str, code: str
) -> None:
    plan = copy.deepcopy(small_plan())
    change(plan)
    faults, _ = found(plan)
    assert (path, code) in faults


WARNINGS: list[tuple[Callable[[Plan], Any], str, str]] = [
    (
        put("/policy/ladder", {"vp_calendar": {"holidays_of": "US"}}),
        "/policy/ladder/vp_calendar",
        "calendar_unused",
    ),
    (put("/segments/1/employees_from", 200), "/segments/1", "segments_gap"),
    (put("/territories/-", {"id": "t", "name": "T"}), "/territories/2", "unassigned_territory"),
    (
        put("/partners/-", {"id": "c", "name": "C", "tier": "gold"}),
        "/partners/2",
        "unassigned_partner",
    ),
    (put("/territories/1/minimum_tier", "gold"), "/assignments/1/partner", "tier_too_low"),
    (
        put("/assignments/-", {"id": "b", "territory": "t-west", "partner": "ada"}),
        "/assignments/2",
        "assigned_twice",
    ),
    (put("/named_accounts/0/direct_owner", None), "/named_accounts/0", "no_direct_owner"),
    (
        put("/market_data", [{"region": "west", "segment": "smb", "potential": 1}]),
        "/regions/0",
        "no_market_data",
    ),
    (put("/people/-", person("max", "partner_manager")), "/people/5", "second_programme_manager"),
    (put("/people/1/manages", ["west"]), "/people/1/manages", "manages_nothing"),
    (
        put("/assignments/-", {"id": "d", "territory": "t-west", "direct": "mia"}),
        "/assignments/2/direct",
        "not_direct_owner",
    ),
    (put("/regions/-", {"id": "z", "name": "Z"}), "/regions/2", "empty_region"),
    (put("/partners/0/segments", ["smb", "smb"]), "/partners/0/segments/1", "repeated_value"),
    (put("/people/4/email", None), "/people/4", "not_reachable"),
    (
        lambda plan: (
            put("/territories/0/overlay", True)(plan),
            put("/assignments/0/exclusive", True)(plan),
        ),
        "/assignments/0/exclusive",
        "exclusive_overlay",
    ),
    (
        lambda plan: (put("/exchange_rates", [])(plan), put("/policy/minimum_amount", 5)(plan)),
        "/policy/minimum_amount",
        "no_rates",
    ),
    (put("/regions/1/subdivisions", ["DE-BY"]), "/regions/1/subdivisions/0", "repeated_value"),
]


@pytest.mark.parametrize(
    ("change", "path", "code"),
    WARNINGS,
    ids=lambda value: value[:60] if isinstance(value, str) else "with",
)
def test_a_warning_does_not_keep_a_plan_back(
    change: Callable[[Plan], Any], path: str, code: str
) -> None:
    plan = copy.deepcopy(small_plan())
    change(plan)
    faults, warnings = found(plan)
    assert faults == []
    assert (path, code) in warnings


MANY_FAULTS = """
schema: dealreg.plan/1
programme: {name: Test, time_zone: Mars/Olympus, currency: USD, color: red}
regions:
  - {id: west, name: West, subdivisions: [US-CA], countries: [DE]}
  - {id: east, name: East, countries: [US, DE, XX]}
segments:
  - {id: smb, name: SMB, employees_from: 1, employees_to: 100}
  - {id: ent, name: Enterprise, employees_from: 90}
product_lines: [{id: core, name: Core}, {id: core, name: Again}]
tiers: [{id: gold, name: Gold, rank: 1}, {id: base, name: Base, rank: 0}]
partners:
  - {id: ada, name: Ada, tier: goold, segments: [smb], certified: [cor]}
  - {id: bob, name: Bob, tier: base, kind: shop}
territories:
  - {id: t, name: T, match: {regions: [wst]}}
  - {id: u, name: U, match: {countries: [FR], subdivisions: [US-CA]}}
  - {id: w, name: W, match: {countries: [DE]}}
assignments:
  - {id: a, territory: t, partner: bob, direct: dora}
  - {id: b, territory: t, partner: ada, valid_from: 2027-02-01, valid_to: 2027-01-01}
  - {id: c, territory: w, partner: ada, exclusive: true}
  - {id: d, territory: w, partner: bob, exclusive: true}
  - {id: e, territory: v, partner: ada, goal: 1.5}
named_accounts: [{id: big, name: Big}]
region_targets: [{region: west, minimum_partners: 5, maximum_partners: 3}]
segment_targets: [{segment: smb, partner_share: 60}]
exchange_rates: [{currency: usd, rate: '1'}]
people:
  - {id: vic, roles: [vp], name: Vic}
policy: {score_weights: {presence: 50}, named_account_limit: 0}
"""


def test_more_than_twenty_faults_of_all_sorts_are_named_at_once() -> None:
    report = validate_plan(MANY_FAULTS)
    faults = [(fault.path, fault.code) for fault in report.faults]
    assert faults == [
        ("/programme/color", "unknown_field"),
        ("/tiers/1/rank", "out_of_range"),
        ("/partners/1/kind", "not_among"),
        ("/assignments/4/goal", "bad_value"),
        ("/exchange_rates/0/currency", "bad_format"),
        ("/programme/time_zone", "unknown_time_zone"),
        ("/product_lines/1/id", "duplicate_id"),
        ("/partners/0/tier", "unknown_tier"),
        ("/assignments/0/direct", "unknown_person"),
        ("/assignments/4/territory", "unknown_territory"),
        ("/partners/0/certified/0", "unknown_product_line"),
        ("/territories/0/match/regions/0", "unknown_region"),
        ("/regions/1/countries/2", "unknown_country"),
        ("/regions/1/countries/1", "regions_overlap"),
        ("/regions/0/subdivisions/0", "regions_overlap"),
        ("/territories/1/match", "matches_nothing"),
        ("/segments/1", "segments_overlap"),
        ("/assignments/0", "assignment_holder"),
        ("/assignments/1/valid_to", "inverted"),
        ("/named_accounts", "too_many_named_accounts"),
        ("/named_accounts/0", "account_without_key"),
        ("/region_targets/0/maximum_partners", "inverted"),
        ("/segment_targets", "shares_not_whole"),
        ("/policy/score_weights", "weights_not_whole"),
        ("/people/0/email", "required"),
        ("/people", "ladder_incomplete"),
        ("/people", "ladder_incomplete"),
        ("/assignments/3/exclusive", "exclusives_clash"),
    ]
    assert report.document is None
    by_code = {fault.code: fault for fault in report.faults}
    assert "Did you mean `gold`?" in by_code["unknown_tier"].sentence
    assert by_code["unknown_tier"].allowed == "base, gold"


def test_an_item_with_a_fault_of_shape_is_not_also_reported_missing() -> None:
    plan = small_plan()
    plan["partners"][1]["kind"] = "shop"
    plan["tiers"][0]["rank"] = "one"
    assert found(plan)[0] == [("/tiers/0/rank", "wrong_type"), ("/partners/1/kind", "not_among")]
    faults, _ = found(small_plan(people={"mia": "boss"}))
    assert faults == [("/people", "wrong_type")]


def test_a_wrong_field_hides_nothing_of_what_stands_beside_it() -> None:
    plan = small_plan()
    plan["partners"][0] |= {"kind": "shop", "tier": "goold", "certified": ["core", "cor"]}
    plan["partners"][0]["sites"] = [{"country": "XX"}, {"country": 5, "subdivision": "US-ZZ"}]
    plan["territories"][0] |= {"overlay": "no", "match": {"regions": ["wst"], "segments": "smb"}}
    plan["assignments"][0] |= {"goal": "much", "territory": "t-wst"}
    plan["people"][1] |= {"email": 7, "roles": []}
    plan["programme"] |= {"name": 5, "time_zone": "Mars/Olympus"}
    plan["policy"] = {"score_weights": {"presence": "all"}, "named_account_limit": -1}

    faults, warnings = found(plan)

    assert {path for path, _ in faults} == {
        "/partners/0/kind",
        "/partners/0/tier",
        "/partners/0/certified/1",
        "/partners/0/sites/0/country",
        "/partners/0/sites/1/country",
        "/partners/0/sites/1/subdivision",
        "/territories/0/overlay",
        "/territories/0/match/regions/0",
        "/territories/0/match/segments",
        "/assignments/0/goal",
        "/assignments/0/territory",
        "/people/1/email",
        "/people/1/roles",
        "/people",
        "/programme/name",
        "/programme/time_zone",
        "/policy/score_weights/presence",
        "/policy/named_account_limit",
    }
    assert warnings == []


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/segments/0/employees_to", "many"),
        ("/assignments/0/territory", 5),
        ("/assignments/0/partner", 5),
        ("/assignments/0/valid_from", "soon"),
        ("/regions/0/countries", "US"),
        ("/regions/0/subdivisions", 5),
        ("/market_data/0/region", 5),
        ("/market_data/0/region", "unheard-of"),
        ("/segment_targets/0/partner_share", "half"),
        ("/people/0/manages", 5),
        ("/people/0/roles", 5),
        ("/named_accounts/0/domain", 5),
        ("/policy/ladder/vp_hours", "many"),
        ("/territories/0/match", 5),
        ("/assignments/0/territory", "t-wst"),
        ("/assignments/0/partner", "adda"),
    ],
    ids=named,
)
def test_one_fault_has_no_false_consequences(pointer: str, value: Any) -> None:
    markets = [
        {"region": region, "segment": segment, "potential": 1000}
        for region in ("west", "emea")
        for segment in ("smb", "ent")
    ]
    plan = small_plan(market_data=markets)
    assert found(plan) == ([], [])
    put(pointer, value)(plan)

    faults, warnings = found(plan)

    assert [path for path, _ in faults] == [pointer]
    assert warnings == []


def test_people_on_record_need_no_name_again_and_erased_ones_stay_away() -> None:
    plan = small_plan()
    for entry in plan["people"]:
        del entry["name"], entry["email"]
    assert ("/people/0/name", "required") in found(plan)[0]
    on_record = [entry["id"] for entry in plan["people"]]
    assert found(plan, people=on_record) == ([], [])
    assert found(plan, people=on_record, erased=["vic"])[0] == [("/people/1/id", "person_erased")]


def places(value: Any, path: str = "") -> list[str]:
    """The JSON pointers of everything inside ``value``."""
    if not isinstance(value, dict | list):
        return []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return [
        pointer
        for name, inner in items
        for pointer in (f"{path}/{name}", *places(inner, f"{path}/{name}"))
    ]


ODD = st.recursive(
    st.sampled_from([None, True, 0, -1, 10**18, "", "west", "ada", "XX", "1", "2027-01-01", "a/b"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["id", "name", "region", "match"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(st.lists(st.tuples(st.sampled_from(places(small_plan())), ODD), min_size=1, max_size=3))
@settings(max_examples=400)
def test_whatever_stands_anywhere_is_answered(changes: list[tuple[str, Any]]) -> None:
    plan = copy.deepcopy(small_plan())
    for pointer, value in sorted(changes, reverse=True, key=lambda change: change[0]):
        with contextlib.suppress(KeyError, IndexError, TypeError, ValueError, AttributeError):
            put(pointer, value)(plan)  # an earlier change may have taken the place away
    report = validate_plan(json.dumps(plan))
    assert report.publishable == (not report.faults)


def test_many_faults_of_one_kind_are_counted_not_listed() -> None:
    territories = [{"id": f"t{n}", "name": "T", "minimum_tier": "no"} for n in range(300)]
    faults, _ = found(small_plan(territories=territories, assignments=[]))
    unknown = [path for path, code in faults if code == "unknown_tier"]
    assert len(unknown) == MOST_OF_A_KIND + 1
    report = validate_plan(yaml.safe_dump(small_plan(territories=territories, assignments=[])))
    assert "250 more of this kind" in [f.sentence for f in report.faults][MOST_OF_A_KIND]

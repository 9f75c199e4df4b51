"""Gaps, overlaps, targets and what to do about them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from dealreg_coverage.domain.actions import top_actions
from dealreg_coverage.domain.covering import posts_on
from dealreg_coverage.domain.factors import prior_for
from dealreg_coverage.domain.gaps import Gap, gap_of, gap_regions, in_order
from dealreg_coverage.domain.overlaps import Overlap
from dealreg_coverage.domain.picture import Known, MarketPicture, overlaps_in, picture
from dealreg_coverage.domain.plan import MarketId, Plan
from dealreg_coverage.domain.quarter import quarter_of
from dealreg_coverage.domain.sums import Sums
from dealreg_coverage.domain.targets import targets
from tests.factories.coverage import partner, plan, site

AT = datetime(2026, 5, 5, tzinfo=UTC)
WEST_SMB = MarketId("west", "smb")


def look(made: Plan, meetings: int = 0) -> tuple[dict[MarketId, MarketPicture], Known]:
    known = Known(prior_for(quarter_of(AT), {}), meetings={WEST_SMB: meetings})
    return picture(made, posts_on(made, AT.date()), known, AT), known


def gaps(made: Plan) -> list[Gap]:
    return in_order([seen.gap for seen in look(made)[0].values() if seen.gap is not None])


def test_classes_and_order_of_gaps() -> None:
    found = gaps(plan())
    assert [(str(g.market), g.gap_class, g.priority) for g in found] == [
        ("east/ent", "High", "P1"),
        ("east/smb", "High", "P1"),
        ("west/ent", "Medium", "P2"),
        ("west/smb", "Medium", "P2"),
    ]
    assert found[0].reason == "no partner covers this market"
    assert "below the target of 80.0 %" in found[2].reason
    assert gap_regions(found) == ["east", "west"]


def test_a_met_score_with_too_few_heads_is_low() -> None:
    found = gaps(plan(policy=[{"score_target": 40}]))
    low = [gap for gap in found if gap.priority == "P3"]
    assert [(str(g.market), g.have, g.headcount) for g in low] == [
        ("west/ent", 1, 2),
        ("west/smb", 3, 4),
    ]
    assert low[1].reason == "score is met, but 3 of 4 planned partners cover this market"
    assert gap_regions(low) == []


@pytest.mark.parametrize(
    ("maximum", "share", "expected"),
    [(8, 60, 5), (8, 30, 2), (8, 10, 1), (5, 30, 2), (5, 10, 1), (3, 10, 0), (1, 50, 1)],
)
def test_headcount_is_maximum_times_share_half_up(maximum: int, share: int, expected: int) -> None:
    made = plan(
        region_targets=[
            {"region": "west", "minimum_partners": 0, "maximum_partners": maximum},
        ],
        segment_targets=[{"segment": "smb", "partner_share": share}],
    )
    assert made.headcount(WEST_SMB) == expected
    assert made.headcount(MarketId("east", "smb")) == made.headcount(MarketId("west", "ent")) == 0


def test_a_score_at_the_target_is_no_gap() -> None:
    seen = look(plan())[0][WEST_SMB]
    exact = plan(policy=[{"score_target": 10}], region_targets=[])
    assert gap_of(exact, WEST_SMB, seen.scores) is None


def overlap(meetings: int = 0, **changed: list[dict[str, Any]]) -> Overlap:
    made = plan(**changed)
    seen, known = look(made, meetings)
    [found] = [o for o in overlaps_in(made, seen, known) if o.market == WEST_SMB]
    return found


def test_overlap_risk_grows_with_rivals_and_meetings() -> None:
    assert overlap().risk == "Medium"  # ada and ben are both primary
    assert overlap(1).risk == "Medium"
    assert overlap(2).risk == "High"
    shared = [
        {"id": "a1", "territory": "t-west", "partner": "ada"},
        {"id": "a2", "territory": "t-smb", "partner": "ben", "role": "secondary"},
    ]
    assert overlap(0, assignments=shared).risk == "Low"
    assert overlap(4, assignments=shared).risk == "Medium"
    assert overlap(5, assignments=shared).risk == "High"
    assert "1 pair(s)" in overlap(0, assignments=shared).reason
    assert "Keep primary and secondary" in overlap(0, assignments=shared, partners=alike()).rule


def test_one_covering_partner_or_overlays_are_no_overlap() -> None:
    made = plan(
        territories=[
            {"id": "t-west", "name": "W", "match": {"regions": ["west"]}},
            {"id": "t-smb", "name": "S", "overlay": True},
        ]
    )
    assert overlaps_in(made, *look(made)) == []


def alike() -> list[dict[str, Any]]:
    return [
        partner("ada", sites=[site("US-CA", office=True, reps=1)]),
        partner("ben", sites=[site("US-CA", reps=1)]),
        partner("cy"),
    ]


def test_proposed_rules() -> None:
    pair = [
        {"id": "a1", "territory": "t-west", "partner": "ada"},
        {"id": "a2", "territory": "t-smb", "partner": "ben"},
    ]
    by_line = overlap(
        assignments=pair,
        partners=[partner("ada", certified=["core"]), partner("ben", certified=["edge"])],
    )
    assert by_line.rule.startswith("Split by product line: Ada takes core, Ben takes edge")
    by_place = overlap(assignments=pair)
    assert by_place.rule.startswith("Split by place: Ada takes US-CA, Ben takes US-WA")
    by_rank = overlap(assignments=pair, partners=alike())
    assert by_rank.rule.startswith("Make Ada primary (score ")


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ({"product_lines": ["core"]}, {"product_lines": ["edge"]}, False),
        ({"product_lines": ["core"]}, {}, True),
        ({"subdivisions": ["US-CA"]}, {"subdivisions": ["US-WA"]}, False),
        ({"subdivisions": ["US-CA"]}, {"countries": ["US"]}, True),
        ({"subdivisions": ["US-CA"]}, {"subdivisions": ["US-CA", "US-WA"]}, True),
        ({"postal_prefixes": ["US:94"]}, {"postal_prefixes": ["US:941"]}, True),
        ({"postal_prefixes": ["US:94"]}, {"postal_prefixes": ["US:98"]}, False),
        ({"postal_prefixes": ["US:94"]}, {"cities": ["US:Oakland"]}, True),
        ({"cities": ["US:Oakland"]}, {"cities": ["US:oakland"]}, True),
        ({"cities": ["US:Oakland"]}, {"cities": ["US:Seattle"]}, False),
        ({"naics": ["51"]}, {"naics": ["52"]}, False),
        ({"naics": ["51"]}, {"naics": ["511"]}, True),
        ({"naics": ["51"]}, {"sic": ["73"]}, True),
        ({"sic": ["60"]}, {"sic": ["73"]}, False),
    ],
)
def test_partners_overlap_only_where_one_claim_can_match_both(
    one: dict[str, Any], other: dict[str, Any], meet: bool
) -> None:
    found = overlap(
        territories=[
            {"id": "t1", "name": "1", "match": one},
            {"id": "t2", "name": "2", "match": other},
        ],
        assignments=[
            {"id": "a1", "territory": "t1", "partner": "ada"},
            {"id": "a2", "territory": "t2", "partner": "ben"},
        ],
    )
    assert found.pairs == int(meet)
    assert found.risk == ("Medium" if meet else "Low")
    assert meet or found.rule.startswith("Keep it as it is")


def test_targets_count_distinct_covering_partners() -> None:
    made = plan(
        territories=[
            {"id": "t-west", "name": "W", "match": {"regions": ["west"]}},
            {"id": "t-smb", "name": "S", "match": {"regions": ["west"], "segments": ["smb"]}},
            {"id": "over", "name": "O", "overlay": True},
        ],
        assignments=[
            {"id": "a1", "territory": "t-west", "partner": "ada"},
            {"id": "a2", "territory": "t-smb", "partner": "ada"},
            {"id": "a3", "territory": "t-smb", "partner": "ben"},
            {"id": "a4", "territory": "over", "partner": "cy"},
        ],
    )
    seen, _ = look(made)
    closed = {WEST_SMB: Sums(won=3, won_value=7_500_001)}
    west, east = targets(made, {m: s.scores for m, s in seen.items()}, closed)
    assert (west.minimum, west.maximum, west.have, west.target, west.gap) == (2, 6, 2, 6, 4)
    assert (west.overlay_only, west.won_value) == (1, 7_500_001)
    assert (east.have, east.gap, east.overlay_only) == (0, 2, 1)
    smb, ent = west.segments
    assert (smb.planned_share, smb.share, smb.partners, smb.deal_size) == (60, 100, 2, 2_500_000)
    assert (ent.share, ent.partners, ent.planned_deal_size, ent.deal_size) == (
        50,
        1,
        50_000_000,
        None,
    )
    assert east.segments[0].share is None


def test_the_top_of_what_to_do() -> None:
    made = plan()
    seen, known = look(made, meetings=6)
    found = [picture.gap for picture in seen.values() if picture.gap is not None]
    actions = top_actions(
        made, found, overlaps_in(made, seen, known), {m: s.scores for m, s in seen.items()}
    )
    assert [(a.kind, a.priority) for a in actions] == [
        ("recruit", "P1"),
        ("raise", "P2"),
        ("settle", "overlap"),
    ]
    assert actions[0].text == "Recruit in East: nobody covers Enterprise and SMB there."
    assert (
        "Ada would gain most by making it a priority, filing and winning (commitment is 3.00)"
        in (actions[1].text)
    )
    assert actions[0].markets == ("east/ent", "east/smb")


def test_headcount_shortfalls_are_added_up_last() -> None:
    made = plan(policy=[{"score_target": 40}])
    seen, _ = look(made)
    found = [picture.gap for picture in seen.values() if picture.gap is not None]
    actions = top_actions(made, found, [], {m: s.scores for m, s in seen.items()})
    assert [a.kind for a in actions] == ["recruit", "add"]
    assert actions[1].text == "Add 1 partner(s) in West: Enterprise and SMB have too few."

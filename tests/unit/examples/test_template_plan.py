"""The plan template as it ships: every number of the usual template, and the gaps that follow from it.

What follows over the whole service, with scores set by hand, is in the component tests of coverage.
"""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from dealreg_coverage.compiling import compile_plan
from dealreg_coverage.domain.covering import posts_on
from dealreg_coverage.domain.factors import prior_for
from dealreg_coverage.domain.picture import CellKey, Known, picture
from dealreg_coverage.domain.plan import MarketId
from dealreg_coverage.domain.sums import HandSet
from dealreg_coverage.domain.targets import targets
from dealreg_registration.plan_content import content_of, parts_of
from dealreg_registration.plan_validation import validate_plan
from dealreg_shared.contracts.plan_document import PlanDocument

FILE = Path(__file__).resolve().parents[3] / "examples" / "template" / "plan.yaml"
AT = datetime(2026, 11, 2, 12, tzinfo=UTC)
FACTORS = ("presence", "capability", "track_record", "commitment")
BY_HAND = {"acme": (10, 9, 7, 7), "techstart": (7, 7, 7, 7), "globalsys": (6, 6, 6, 6)}
"""85, 70 and 60 per cent."""


@pytest.fixture(scope="module")
def plan() -> PlanDocument:
    report = validate_plan(FILE.read_bytes())
    assert report.faults == []
    assert report.document is not None
    return report.document


def test_region_and_segment_targets_are_the_template_s(plan: PlanDocument) -> None:
    names = {region.id: region.name for region in plan.regions}
    assert [
        (names[t.region], t.minimum_partners, t.maximum_partners, t.revenue_goal)
        for t in plan.region_targets
    ] == [
        ("NA West", 5, 8, Decimal(2_000_000)),
        ("NA East", 5, 8, Decimal(2_000_000)),
        ("EMEA", 3, 5, Decimal(1_000_000)),
        ("APAC", 2, 3, Decimal(500_000)),
    ]
    assert [(t.segment, t.partner_share, t.deal_size) for t in plan.segment_targets] == [
        ("smb", 60, Decimal(25_000)),
        ("mid-market", 30, Decimal(100_000)),
        ("enterprise", 10, Decimal(500_000)),
    ]


def test_the_three_partners_are_assigned_as_in_the_template(plan: PlanDocument) -> None:
    territory = {each.id: each.match for each in plan.territories}
    focus = {}
    found = {}
    for assignment in plan.assignments:
        if assignment.partner in BY_HAND:
            match = territory[assignment.territory]
            found[assignment.partner] = (match.regions, match.segments, match.product_lines)
            focus[assignment.partner] = assignment.focus
    assert found == {
        "acme": (("na-west",), ("smb", "mid-market"), ()),
        "techstart": (("na-east",), ("enterprise",), ("platform",)),
        "globalsys": (("emea",), (), ()),
    }
    acme, techstart = focus["acme"], focus["techstart"]
    assert acme is not None
    assert techstart is not None
    assert (acme.employees_from, acme.employees_to) == (1, 100)
    assert (techstart.employees_from, techstart.employees_to) == (500, None)
    assert focus["globalsys"] is None


def test_the_policy_is_the_rule_book_s(plan: PlanDocument) -> None:
    assert plan.policy == type(plan.policy)()


def test_targets_and_gaps_follow_from_the_plan(plan: PlanDocument) -> None:
    sections: dict[str, list[dict[str, object]]] = {}
    for section, items in parts_of(content_of(plan)):
        sections.setdefault(section, []).extend(items)
    compiled = compile_plan(1, AT, "", sections)
    by_hand = {
        CellKey(partner, market): {
            name: HandSet(100 * value, "as the template gives it", "staff", AT, "2027-01-01", 1)
            for name, value in zip(FACTORS, values, strict=True)
        }
        for partner, values in BY_HAND.items()
        for market in compiled.markets
    }
    known = Known(prior=prior_for(0, {}), hand_set=by_hand)
    seen = picture(compiled, posts_on(compiled, AT.date()), known, AT)
    scores = {market: each.scores for market, each in seen.items()}
    assert [(t.region, t.have, t.target, t.gap) for t in targets(compiled, scores, {})] == [
        ("na-west", 5, 8, 3),
        ("na-east", 4, 8, 4),
        ("emea", 2, 5, 3),
        ("apac", 0, 3, 3),
    ]

    def gap(region: str, segment: str) -> tuple[str, str]:
        found = seen[MarketId(region, segment)].gap
        assert found is not None
        return found.gap_class, found.priority

    assert gap("apac", "enterprise") == ("High", "P1")
    assert gap("emea", "mid-market") == ("Medium", "P2")
    assert gap("na-west", "smb") == ("Low", "P3")
    of = {(s.partner_id, str(m)): s.tenths for m, all_ in scores.items() for s in all_}
    assert of["acme", "na-west/smb"] == 850
    assert of["techstart", "na-east/enterprise"] == 700
    assert of["globalsys", "emea/mid-market"] == 600

"""The shipped stream: derived files are what the scripts make, and plans say what they promise."""

import csv
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from examples.stream import make_closings, make_plans

from dealreg_registration.compiling import compile_plan
from dealreg_registration.domain.coverage import covers
from dealreg_registration.domain.match import Target
from dealreg_registration.domain.plan import Plan, Standing
from dealreg_registration.domains import registrable_domain
from dealreg_shared.contracts.plan_document import PlanDocument

STREAM = Path(make_plans.HERE)


def rows(name: str) -> list[dict[str, str]]:
    with (STREAM / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def plan(name: str) -> Plan:
    document = PlanDocument.model_validate(
        yaml.safe_load((STREAM / name).read_text("utf-8")), strict=False
    )
    return compile_plan(document, 1, datetime(2025, 1, 1, tzinfo=UTC), registrable_domain)


def in_territory(plan: Plan) -> Counter[str]:
    counted: Counter[str] = Counter()
    for row in rows("registrations.csv"):
        target = Target(
            region=plan.region_of_country.get(row["country"]),
            country=row["country"],
            product_line=row["product_id"],
        )
        coverage = covers(plan, Standing(), target, datetime(2025, 6, 1, tzinfo=UTC))
        if not coverage.covering:
            counted["open"] += 1
        elif coverage.standing_of(row["partner_id"]):
            counted["in"] += 1
        else:
            counted["out"] += 1
    return counted


@pytest.mark.parametrize("name", sorted(make_plans.PLANS))
def test_the_plans_are_what_the_script_makes(name: str) -> None:
    title, parity = make_plans.PLANS[name]
    made = make_plans.text(title, make_plans.plan(parity=parity))
    assert (STREAM / name).read_text("utf-8") == made
    assert "INVENTED" in made.split("schema:", maxsplit=1)[0]


def test_the_closings_are_what_the_script_takes_from_the_truth() -> None:
    made = make_closings.closings(STREAM / "registrations_truth.csv")
    shipped = [(r["event_id"], r["outcome"], r["closed_at"]) for r in rows("closings.csv")]
    assert shipped == made
    assert list(rows("closings.csv")[0]) == ["event_id", "outcome", "closed_at"]
    assert len(shipped) == 1732


def test_the_territorial_plan_covers_what_the_data_says() -> None:
    assert in_territory(plan("plan-territorial.yaml")) == {"in": 1181, "out": 663, "open": 156}


def test_under_the_parity_plan_everybody_covers_everything() -> None:
    parity = plan("plan-parity.yaml")
    assert in_territory(parity) == {"in": 2000}
    assert parity.policy.standby == "off"


def test_the_primary_is_the_highest_tier_then_the_lowest_partner_id() -> None:
    compiled = plan("plan-territorial.yaml")
    for territory in compiled.territories.by_id.values():
        [primary] = [a for a in territory.assignments if a.primary]
        order = sorted(
            territory.assignments,
            key=lambda a: (compiled.partners[a.partner_id or ""].tier_rank, a.partner_id),
        )
        assert order[0] == primary


def test_the_stream_credits_its_sources() -> None:
    licence = (STREAM / "LICENCE.md").read_text("utf-8")
    assert "Open Data 500, The GovLab" in licence
    assert "CC BY-SA 4.0" in licence

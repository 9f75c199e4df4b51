"""The plan template that ships: its targets, gaps and mean are those of rules.md, section 5."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from tests.component.coverage.conftest import NOW, House

PLAN = Path(__file__).parents[3] / "examples" / "template" / "plan.yaml"

BY_HAND = {
    # score: presence, capability, track record, commitment
    85: (10, 9, 7, 7),
    70: (7, 7, 7, 7),
    60: (6, 6, 6, 6),
}


def template() -> dict[str, list[dict[str, Any]]]:
    """The document's sections as registration sends them."""
    document = yaml.safe_load(PLAN.read_text("utf-8"))
    document.pop("schema")
    return {name: [value] if isinstance(value, dict) else value for name, value in document.items()}


async def set_score(house: House, staff: dict[str, str], cell: str, score: int) -> None:
    until = (NOW + timedelta(days=30)).date().isoformat()
    names = ("presence", "capability", "track_record", "commitment")
    for name, value in zip(names, BY_HAND[score], strict=True):
        answer = await house.http.put(
            f"/v1/coverage/factors/{cell}/{name}",
            json={"value": value, "reason": "as the template gives it", "until": until},
            headers=staff,
        )
        assert answer.status_code == 200, answer.text


async def test_targets_of_the_template(house: House) -> None:
    house.log.plan(parts=template())
    staff = await house.key("admin")
    targets = await house.get("targets", staff)
    assert [(r["region"], r["have"], r["target"], r["gap"]) for r in targets["items"]] == [
        ("na-west", 5, 8, 3),
        ("na-east", 4, 8, 4),
        ("emea", 2, 5, 3),
        ("apac", 0, 3, 3),
    ]
    assert [(r["minimum"], r["maximum"]) for r in targets["items"]] == [
        (5, 8),
        (5, 8),
        (3, 5),
        (2, 3),
    ]
    smb = targets["items"][0]["segments"][0]
    assert (smb["planned_share"], smb["planned_deal_size"]["amount"]) == (60, "25000.00")


async def test_scores_of_85_70_and_60_give_the_gaps_and_the_mean_of_the_template(
    house: House,
) -> None:
    house.log.plan(parts=template())
    staff = await house.key("admin")
    for cell, score in (
        ("acme/na-west/smb", 85),
        ("acme/na-west/mid-market", 85),
        ("techstart/na-east/enterprise", 70),
        ("globalsys/emea/smb", 60),
        ("globalsys/emea/mid-market", 60),
        ("globalsys/emea/enterprise", 60),
    ):
        await set_score(house, staff, cell, score)
    rows = {row["partner_id"]: row["cells"] for row in (await house.get("matrix", staff))["rows"]}
    three = [
        rows["acme"]["na-west/smb"]["score"],
        rows["techstart"]["na-east/enterprise"]["score"],
        rows["globalsys"]["emea/mid-market"]["score"],
    ]
    assert three == [85.0, 70.0, 60.0]
    assert "apac/enterprise" not in rows["acme"]

    gaps = await house.get("gaps", staff)
    found = {gap["market"]: (gap["gap_class"], gap["priority"]) for gap in gaps["items"]}
    assert found["apac/enterprise"] == ("High", "P1")
    assert found["emea/mid-market"] == ("Medium", "P2")
    assert found["na-west/smb"] == ("Low", "P3")
    priorities = [gap["priority"] for gap in gaps["items"]]
    assert priorities == sorted(priorities)
    assert gaps["items"][0]["market"] == "apac/enterprise"
    assert {"apac", "emea"} <= set(gaps["gap_regions"])
    summary = await house.get("summary", staff)
    assert summary["actions"][0]["text"].startswith("Recruit in APAC")
    assert len(summary["actions"]) <= 5


async def test_the_three_alone_have_the_mean_72(house: House) -> None:
    parts = template()
    three = {"acme", "techstart", "globalsys"}
    parts["partners"] = [p for p in parts["partners"] if p["id"] in three]
    parts["assignments"] = [a for a in parts["assignments"] if a["partner"] in three]
    house.log.plan(parts=parts)
    staff = await house.key("admin")
    cells = (await house.get("matrix", staff))["rows"]
    scores = {"acme": 85, "techstart": 70, "globalsys": 60}
    for row in cells:
        for market in row["cells"]:
            await set_score(
                house, staff, f"{row['partner_id']}/{market}", scores[row["partner_id"]]
            )
    programme = (await house.get("summary", staff))["programme"]
    assert (programme["mean"], programme["mean_rounded"]) == (71.7, 72)

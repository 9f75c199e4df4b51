"""``dealreg explain``: two files in, the decision with every rule out; faults named, nothing guessed."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from dealreg.cli import app

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
PLAN = EXAMPLES / "template" / "plan.yaml"
DEAL = EXAMPLES / "template" / "deal.yaml"


def explain(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["explain", *map(str, arguments)])


def deal(tmp_path: Path, *changes: dict[str, object]) -> Path:
    original = yaml.safe_load(DEAL.read_text("utf-8"))
    path = tmp_path / "deal.json"
    path.write_text(json.dumps([{**original, **change} for change in changes]), "utf-8")
    return path


def outcomes(result: Result) -> list[list[str]]:
    return [[line["outcome"] for line in each["lines"]] for each in json.loads(result.stdout)]


def test_the_example_deal_is_protected_and_every_rule_is_told() -> None:
    result = explain(DEAL, "--plan", PLAN)
    assert result.exit_code == 0
    assert "platform: protected until 2027-01-31T09:30:00.000000Z" in result.stdout
    for rule in range(1, 7):
        assert f"rule {rule}" in result.stdout


def test_the_same_files_give_the_same_bytes() -> None:
    assert explain(DEAL, "--plan", PLAN, "--json").stdout == (
        explain(DEAL, "--plan", PLAN, "--json").stdout
    )


def test_deals_of_a_list_see_each_other(tmp_path: Path) -> None:
    path = deal(
        tmp_path,
        {"at": "2026-11-02T09:30:00Z"},
        {"at": "2026-11-02T09:30:04Z", "partner_id": "cascade"},
        {"at": "2026-11-02T09:30:09Z"},
        {"at": "2026-11-02T09:31:00Z", "partner_id": "techstart"},
    )
    assert outcomes(explain(path, "--plan", PLAN, "--json")) == [
        ["protected", "protected"],
        ["contested", "contested"],
        ["duplicate", "duplicate"],
        ["referred", "referred"],
    ]


def test_a_band_that_straddles_two_segments_is_named_in_the_trace(tmp_path: Path) -> None:
    account = yaml.safe_load(DEAL.read_text("utf-8"))["account"]
    path = deal(tmp_path, {"account": {**account, "employees": {"from": 51, "to": 200}}})
    result = explain(path, "--plan", PLAN)
    assert "the account's segment is unknown" in " ".join(result.stdout.lower().split())


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": {"amount": 5, "currency": "USD"}}, "/amount/amount"),
        ({"surprise": 1}, "/surprise"),
        ({"partner_id": None}, "/partner_id"),
        ({"account": {"name": "A", "country": "XX"}}, "/account/country"),
        ({"at": "yesterday"}, "valid datetime"),
    ],
)
def test_a_fault_in_the_deal_is_named_and_nothing_is_decided(
    tmp_path: Path, change: dict[str, object], field: str
) -> None:
    result = explain(deal(tmp_path, change), "--plan", PLAN)
    assert result.exit_code == 2
    assert field in result.stderr
    assert result.stdout == ""


def test_a_fault_in_the_plan_is_named(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN.read_text("utf-8").replace("rank: 1", "rank: first"), "utf-8")
    result = explain(DEAL, "--plan", plan)
    assert result.exit_code == 2
    assert "/tiers/0/rank" in result.stderr


def test_a_country_code_that_yaml_takes_for_no_is_a_country(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN.read_text("utf-8").replace("'NO'", "NO"), "utf-8")
    assert explain(DEAL, "--plan", plan).exit_code == 0

"""The plan document's shape: nothing unknown, nothing converted, every default the rule book's."""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from dealreg_registration.plan_schema import plan_schema
from dealreg_shared.contracts.plan_document import (
    SCHEMA_ID,
    SECTIONS,
    ExchangeRate,
    MarketData,
    PlanDocument,
    Policy,
)
from dealreg_shared.contracts.plan_section import Section

TEMPLATE = Path(__file__).parents[3] / "examples/template/plan.yaml"

WORKING_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
SMALLEST: Mapping[str, Any] = {
    "schema": SCHEMA_ID,
    "programme": {"name": "Example", "time_zone": "Europe/Berlin", "currency": "EUR"},
    "product_lines": [{"id": "platform", "name": "Platform"}],
    "tiers": [{"id": "gold", "name": "Gold", "rank": 1}],
}


def read(document: Any) -> PlanDocument:
    return PlanDocument.model_validate_json(json.dumps(document, default=str))


def with_item(section: str, item: Mapping[str, Any]) -> dict[str, Any]:
    return {**SMALLEST, section: [item]}


def test_the_sections_are_those_of_the_document() -> None:
    fields = PlanDocument.model_fields

    assert list(SECTIONS) == [name for name in fields if name != "schema_id"]
    for name, model in SECTIONS.items():
        many = tuple[model, ...]  # type: ignore[valid-type]  # a value
        assert fields[name].annotation == (model if name in ("programme", "policy") else many)


def test_the_smallest_plan_is_the_rule_book_with_every_default() -> None:
    plan = read(SMALLEST)

    assert plan.policy == Policy()
    assert plan.policy.model_dump() == {
        "protection_days": 90,
        "protect_open": False,
        "standby": "promote",
        "minimum_amount": None,
        "cooling_off_days": 0,
        "named_account_limit": 100,
        "referral_names_target": True,
        "referral_days": 2,
        "referral_exhausted": "in_territory",
        "transfer_days": 5,
        "overlap_cases": "always",
        "precedence_proof": "on",
        "objection_days": 5,
        "owner_idle_days": 90,
        "offer_days": 5,
        "information_days": 5,
        "extension_days": 30,
        "expiring_days": (30, 14, 7),
        "activity_days": None,
        "activity_notice_days": 7,
        "renewal_incumbent": True,
        "appeal_days": 10,
        "suspension_notice_days": 5,
        "calendar": {
            "time_zone": None,
            "hours": dict.fromkeys(WORKING_DAYS, ("09:00-17:00",)) | {"saturday": (), "sunday": ()},
            "holidays_of": None,
            "days_off": (),
        },
        "ladder": {
            "partner_manager_hours": 4,
            "partner_manager_clock": "wall",
            "partner_manager_calendar": None,
            "vp_hours": 24,
            "vp_clock": "wall",
            "vp_calendar": None,
            "vp_clock_from": "opening",
            "reminders": (50, 80),
            "ceo_repeat_hours": 24,
            "pause_for_information": False,
            "pause_limit_hours": 48,
            "manager_may_decide": True,
        },
        "score_target": 80,
        "score_weights": {
            "presence": 30,
            "capability": 30,
            "track_record": 20,
            "commitment": 20,
        },
    }


def test_the_template_is_read_and_comes_back_the_same() -> None:
    document = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))
    plan = read(document)

    again = PlanDocument.model_validate_json(plan.model_dump_json(by_alias=True))

    assert again == plan
    for name, model in SECTIONS.items():
        held = getattr(plan, name)
        for item in held if isinstance(held, tuple) else [held]:
            assert model.model_validate_json(item.model_dump_json()) == item
    assert plan.partners
    assert plan.assignments


def test_the_template_fits_the_published_schema() -> None:
    schema = plan_schema()
    Draft202012Validator.check_schema(schema)
    plan = read(yaml.safe_load(TEMPLATE.read_text(encoding="utf-8")))

    Draft202012Validator(schema).validate(json.loads(plan.model_dump_json(by_alias=True)))
    Draft202012Validator(schema).validate(json.loads(json.dumps(SMALLEST)))


@pytest.mark.parametrize("missing", ["schema", "programme", "product_lines", "tiers"])
def test_what_a_plan_cannot_do_without_is_named(missing: str) -> None:
    document = {name: value for name, value in SMALLEST.items() if name != missing}

    with pytest.raises(ValidationError, match=missing):
        read(document)


def test_an_unknown_field_is_refused_at_any_depth() -> None:
    for document in (
        {**SMALLEST, "colour": "blue"},
        {**SMALLEST, "policy": {"ladder": {"ceo_hours": 48}}},
        with_item("regions", {"id": "emea", "name": "EMEA", "continents": ["EU"]}),
    ):
        with pytest.raises(ValidationError, match="extra_forbidden"):
            read(document)


@pytest.mark.parametrize(
    ("section", "item"),
    [
        ("regions", {"id": "emea", "name": "EMEA", "countries": ["de"]}),
        ("regions", {"id": "emea", "name": "EMEA", "countries": "DE"}),
        ("regions", {"id": "emea", "name": "EMEA", "subdivisions": ["US_CA"]}),
        ("regions", {"id": "-emea", "name": "EMEA"}),
        ("regions", {"id": "e" * 65, "name": "EMEA"}),
        ("regions", {"id": "emea\n", "name": "EMEA"}),
        ("regions", {"id": "emea", "name": ""}),
        ("segments", {"id": "smb", "name": "SMB", "employees_from": 0}),
        ("segments", {"id": "smb", "name": "SMB", "employees_from": "1"}),
        ("segments", {"id": "smb", "name": "SMB", "revenue_from": "-1"}),
        ("tiers", {"id": "gold", "name": "Gold", "rank": True}),
        ("tiers", {"id": "gold", "name": "Gold", "rank": 1, "protection_days": 0}),
        ("partners", {"id": "acme", "name": "Acme", "tier": "gold", "kind": "agent"}),
        ("territories", {"id": "t", "name": "T", "match": {"postal_prefixes": ["94105"]}}),
        ("territories", {"id": "t", "name": "T", "match": {"naics": ["54-15"]}}),
        ("territories", {"id": "t", "name": "T", "overlay": "yes"}),
        ("assignments", {"id": "a", "territory": "t", "role": "tertiary"}),
        ("assignments", {"id": "a", "territory": "t", "valid_from": "31.12.2027"}),
        ("segment_targets", {"segment": "smb", "partner_share": 101}),
        ("segment_targets", {"segment": "smb", "partner_share": 59.5}),
        ("exchange_rates", {"currency": "USD", "rate": 0}),
        ("exchange_rates", {"currency": "dollars", "rate": 1}),
        ("people", {"id": "mara", "roles": ["boss"]}),
        ("people", {"id": "mara", "roles": [], "email": "mara at example.com"}),
    ],
)
def test_a_value_of_the_wrong_shape_is_refused(section: str, item: Mapping[str, Any]) -> None:
    with pytest.raises(ValidationError, match=section):
        read(with_item(section, item))


def test_a_plan_of_another_format_is_refused() -> None:
    with pytest.raises(ValidationError, match="schema"):
        read({**SMALLEST, "schema": "dealreg.plan/2"})


def test_a_plan_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        read(SMALLEST).programme.currency = "USD"  # type: ignore[misc]  # what must be refused
    assert Section.model_config["extra"] == "forbid"


def potential(written: Any) -> Decimal:
    item = {"region": "emea", "segment": "smb", "potential": written}
    return MarketData.model_validate_json(json.dumps(item)).potential


@given(st.decimals(min_value=0, max_value=10**17, places=4))
def test_an_amount_comes_back_digit_for_digit(amount: Decimal) -> None:
    text = format(amount, "f")

    held = MarketData(region="emea", segment="smb", potential=potential(text))

    assert json.loads(held.model_dump_json())["potential"] == text
    assert potential(json.loads(held.model_dump_json())["potential"]) == amount


@pytest.mark.parametrize("written", [25000, "25000", "0", "1250.50", "9" * 18])
def test_amounts_are_whole_numbers_or_text(written: Any) -> None:
    assert potential(written) == Decimal(str(written))


@pytest.mark.parametrize(
    "written", [1250.5, True, "1e6", "1E+999999", "-1", "1,000", "", "12 ", "NaN", "9" * 19, None]
)
def test_other_amounts_are_refused(written: Any) -> None:
    with pytest.raises(ValidationError, match="potential"):
        potential(written)


def test_a_rate_is_above_nothing() -> None:
    assert ExchangeRate(currency="USD", rate=Decimal("0.92")).rate == Decimal("0.92")

"""A plan's stored form: canonical, without people's data, in parts that fit; changes in words."""

import json
from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dealreg_registration.domain.plan_diff import ItemChange, diff_plans
from dealreg_registration.plan_content import (
    LONG_SECTION,
    PART_BYTES,
    canonical_text,
    content_hash,
    content_of,
    parts_of,
    to_yaml,
)
from dealreg_registration.plan_reading import read_plan
from dealreg_shared.contracts.plan_document import SECTIONS, PlanDocument
from tests.factories.plans import small_plan


def content(plan: dict[str, Any]) -> dict[str, Any]:
    document = read_plan(json.dumps(plan)).document
    assert document is not None
    return content_of(document)


def test_no_persons_name_or_address_is_in_what_is_stored() -> None:
    text = canonical_text(content(small_plan()))
    assert "people.example" not in text
    assert '"Mia"' not in text
    assert '"id":"mia"' in text


def test_two_spellings_of_one_plan_have_one_hash() -> None:
    plan = small_plan()
    plan["policy"] |= {"standby": "promote"}
    plan["assignments"][0] |= {"role": "primary", "exclusive": False, "valid_to": None}
    plan["partners"][1] |= {"kind": "reseller", "certified": []}
    assert content_hash(canonical_text(content(plan))) == content_hash(
        canonical_text(content(small_plan()))
    )


def test_defaults_are_written_out() -> None:
    stored = content(small_plan())
    assert stored["policy"]["ladder"]["vp_hours"] == 24
    assert stored["policy"]["ladder"]["reminders"] == [50, 80]
    assert stored["policy"]["calendar"]["hours"]["friday"] == ["09:00-17:00"]
    assert stored["assignments"][0]["role"] == "primary"
    assert stored["assignments"][0]["goal"] == "1000"


@pytest.mark.parametrize(
    "policy",
    [
        {"expiring_days": []},
        {"ladder": {"ceo_repeat_hours": None}},
        {"ladder": {"reminders": []}},
        {"calendar": {"hours": {"friday": []}}},
        {"ladder": {"vp_calendar": {"time_zone": "Asia/Tokyo", "hours": {"monday": []}}}},
        {"activity_days": None, "calendar": {"days_off": []}},
    ],
)
def test_what_is_switched_off_stays_off_when_it_is_read_again(policy: dict[str, Any]) -> None:
    """Nothing is something else than nothing said."""
    plan = small_plan()
    plan["policy"] |= policy
    document = read_plan(json.dumps(plan)).document
    assert document is not None
    again = PlanDocument.model_validate_json(canonical_text(content_of(document)))
    for section in set(SECTIONS) - {"people"}:
        assert getattr(again, section) == getattr(document, section)


def test_what_is_stored_and_the_yaml_for_editing_are_plans_themselves() -> None:
    plan = small_plan(regions=[{"id": "no", "name": "Norway", "countries": ["NO"]}])
    stored = content(plan)
    again = read_plan(to_yaml(stored)).document
    assert again is not None
    assert content_of(again) == stored
    assert yaml.safe_load(to_yaml(stored)) == stored  # NO is quoted for readers of YAML 1.1 too
    assert PlanDocument.model_validate_json(canonical_text(stored)).policy.protection_days == 60
    assert list(yaml.safe_load(to_yaml(stored)))[:3] == ["schema", "programme", "regions"]


def test_long_sections_are_written_one_item_on_a_line() -> None:
    plan = small_plan()
    plan["territories"] += [
        {"id": f"x{i}", "name": 'NO: "é\\ #', "match": {"cities": [f"DE:{i}"]}}
        for i in range(LONG_SECTION)
    ]
    stored = content(plan)
    text = to_yaml(stored)
    again = read_plan(text).document
    assert again is not None
    assert content_of(again) == yaml.safe_load(text) == stored
    assert len(text.splitlines()) < LONG_SECTION + 200


@given(st.lists(st.integers(10, 100_000), max_size=12))
def test_parts_hold_everything_in_order_and_fit(lengths: list[int]) -> None:
    plan = small_plan()
    plan["territories"] += [
        {"id": f"x{i}", "name": "X", "match": {"cities": ["DE:" + "é" * (length // 2)]}}
        for i, length in enumerate(lengths)
    ]
    stored = content(plan)
    parts = list(parts_of(stored))
    joined: dict[str, list[Any]] = {}
    for section, items in parts:
        assert items
        assert (
            len(json.dumps(items, ensure_ascii=False, separators=(",", ":")).encode()) <= PART_BYTES
        )
        joined.setdefault(section, []).extend(items)
    assert list(joined) == [name for name in SECTIONS if name in stored]
    for section, items in joined.items():
        assert items == (
            stored[section] if isinstance(stored[section], list) else [stored[section]]
        )


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[ItemChange]:
    return list(diff_plans(content(before), content(after)))


def test_a_plan_does_not_differ_from_itself_nor_from_another_order() -> None:
    plan = small_plan()
    plan["regions"][1]["countries"] = ["FR", "DE"]
    plan["partners"].reverse()
    assert changes(small_plan(), plan) == []


SENTENCES = [
    ({"policy": {"protection_days": 90}}, "The policy: protection_days went from 60 to 90."),
    (
        {"policy": {"protection_days": 60, "ladder": {"vp_hours": 48}}},
        "The policy: ladder.vp_hours went from 24 to 48.",
    ),
    (
        {"policy": {"protection_days": 60, "protect_open": True, "minimum_amount": "50.00"}},
        "The policy: minimum_amount is now 50.00; protect_open went from no to yes.",
    ),
    ({"exchange_rates": []}, "Exchange rate of EUR was removed."),
    (
        {"exchange_rates": [{"currency": "EUR", "rate": "1.1"}]},
        "Exchange rate of EUR: rate went from 1.08 to 1.1.",
    ),
    (
        {"market_data": [{"region": "west", "segment": "smb", "potential": 5}]},
        "Market data of west/smb was added.",
    ),
]


@pytest.mark.parametrize(("change", "sentence"), SENTENCES)
def test_a_change_is_a_sentence(change: dict[str, Any], sentence: str) -> None:
    assert [found.sentence for found in changes(small_plan(), small_plan(**change))] == [sentence]


def test_changes_are_told_item_by_item_and_field_by_field() -> None:
    plan = small_plan()
    plan["territories"][1]["match"] = {"regions": ["emea"], "countries": ["DE"]}
    plan["partners"][0] |= {"tier": "base", "certified": ["edge"], "capacity": 4}
    plan["assignments"][1] = {"id": "new", "territory": "t-emea", "partner": "bob"}
    plan["people"][0]["name"] = "Somebody else"
    assert [found.sentence for found in changes(small_plan(), plan)] == [
        "Partner ada (Ada): capacity is now 4; certified gained edge and lost core; "
        "tier went from gold to base.",
        "Territory t-emea (EMEA): match.countries gained DE.",
        "Assignment a-emea was removed.",
        "Assignment new was added.",
    ]
    [partner, *_] = changes(small_plan(), plan)
    assert [(field.field, field.before, field.after) for field in partner.fields] == [
        ("capacity", None, 4),
        ("certified", ["core"], ["edge"]),
        ("tier", "gold", "base"),
    ]


def test_the_way_back_swaps_before_and_after() -> None:
    plan = small_plan(exchange_rates=[], policy={"protection_days": 30})
    forth, back = changes(small_plan(), plan), changes(plan, small_plan())
    assert [(c.section, c.id) for c in forth] == [(c.section, c.id) for c in back]
    assert {c.change for c in forth} == {"changed", "removed"}
    assert {c.change for c in back} == {"changed", "added"}


def test_amounts_keep_their_digits() -> None:
    plan = small_plan()
    plan["assignments"][0]["goal"] = "123456789012345678.10"
    stored = content(plan)
    assert stored["assignments"][0]["goal"] == "123456789012345678.10"
    document = PlanDocument.model_validate_json(canonical_text(stored))
    assert document.assignments[0].goal == Decimal("123456789012345678.10")

"""From text to a plan: both spellings, what is ambiguous, and faults of shape with what is allowed."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from dealreg_registration.plan_reading import read_plan
from dealreg_registration.plan_schema import plan_schema
from dealreg_registration.plan_validation import validate_plan
from dealreg_registration.plan_yaml import MAX_BYTES, MAX_DEPTH, Unreadable, read_text
from tests.factories.plans import small_plan

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted(ROOT.glob("examples/*/plan*.yaml"))


def codes(text: bytes | str) -> list[tuple[str, str]]:
    reading = read_plan(text)
    assert (reading.document is None) == bool(reading.faults)
    return [(fault.path, fault.code) for fault in reading.faults]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_read_and_fit_the_published_schema(path: Path) -> None:
    reading = read_plan(path.read_bytes())
    assert reading.faults == []
    Draft202012Validator(plan_schema()).validate(reading.tree)


def test_the_schema_in_the_documentation_is_the_published_one() -> None:
    assert json.loads((ROOT / "docs/plan.schema.json").read_text()) == plan_schema()


def test_json_and_yaml_give_the_same_plan() -> None:
    plan = small_plan()
    assert read_plan(json.dumps(plan)).document == read_plan(yaml.safe_dump(plan)).document
    document = read_plan(yaml.safe_dump(plan)).document
    assert document is not None
    assert document.assignments[0].goal == Decimal(1000)
    assert document.assignments[1].valid_from == date(2027, 1, 1)


PLAIN = {
    "NO": "NO",
    "yes": "yes",
    "off": "off",
    "12:30": "12:30",
    "0123": "0123",
    "2027-03-31": "2027-03-31",
    "1_000": "1_000",
    ".nan": ".nan",
    "9" * 30: "9" * 30,
    "true": True,
    "~": None,
    "-5": -5,
    "1.50": 1.5,
    "'5'": "5",
}


@pytest.mark.parametrize(("written", "meant"), PLAIN.items())
def test_plain_words_in_yaml_mean_what_they_say(written: str, meant: Any) -> None:
    assert read_text(f"a: {written}".encode()) == ({"a": meant}, [])


UNREADABLE = {
    "not_utf8": b"a: \xff",
    "not_text": b"a: \0",
    "not_yaml": b"a: [1, 2",
    "not_json": b'{"a": 1, ',
    "yaml_anchor": b"a: &x 1",
    "yaml_alias": b"a: *x",
    "yaml_tag": b"a: !!python/object/apply:os.system [ls]",
    "yaml_merge": b"<<: {a: 1}",
    "yaml_key": b"[a, b]: 1",
    "several_documents": b"a: 1\n---\nb: 2",
    "too_deep": b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
    "too_large": b" " * (MAX_BYTES + 1),
}


@pytest.mark.parametrize(("code", "text"), UNREADABLE.items())
def test_what_cannot_be_read_is_said(code: str, text: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        read_text(text)
    assert [fault.code for fault in caught.value.faults] == [code]
    assert codes(text) == [("", code)]


@pytest.mark.parametrize("text", ['{"a":' * 100_000, "[" * 100_000, '{"a": NaN}', "- 1", "", "5"])
def test_hostile_and_odd_texts_are_answered(text: str) -> None:
    assert len(codes(text)) == 1


def test_a_field_given_twice_is_a_fault_in_both_spellings() -> None:
    plan = json.dumps(small_plan())
    twice = plan.replace('"name": "West", "subd', '"name": "W", "name": "West", "subd')
    assert codes(twice) == [("/regions/0/name", "duplicate_key")]
    as_yaml = yaml.safe_dump(small_plan()).replace("  currency: USD\n", "  currency: USD\n" * 2)
    [fault] = read_plan(as_yaml).faults
    assert (fault.path, fault.code) == ("/programme/currency", "duplicate_key")
    assert "(line " in fault.sentence


def test_half_a_character_is_no_text() -> None:
    assert codes(
        json.dumps(small_plan(programme={**small_plan()["programme"], "name": "\ud800"}))
    ) == [("/programme/name", "not_text")]
    plan = small_plan(schema="a\0b")
    assert codes(json.dumps(plan)) == [("/schema", "not_text")]


def test_a_text_that_cannot_be_kept_hides_nothing_else() -> None:
    plan = small_plan()
    plan["partners"][0] |= {"name": "A\nda", "kind": "shop"}
    plan["partners"][1] |= {"id": "b\ud800b", "tier": "goold"}

    report = validate_plan(json.dumps(plan))

    assert {(fault.path, fault.code) for fault in report.faults} >= {
        ("/partners/0/name", "not_text"),
        ("/partners/0/kind", "not_among"),
        ("/partners/1/id", "not_text"),
        ("/partners/1/tier", "unknown_tier"),
    }
    assert len([fault for fault in report.faults if fault.path == "/partners/1/id"]) == 1


def test_all_faults_of_shape_are_named_at_once_with_what_is_allowed() -> None:
    plan = small_plan()
    plan["regions"][0] |= {"countrys": ["US"], "id": "a b"}
    plan["segments"][0]["employees_from"] = 0
    plan["tiers"][0]["rank"] = "first"
    plan["partners"][0] |= {"kind": "shop", "name": ""}
    plan["assignments"][0] |= {"goal": 12.5, "exclusive": "yes", "valid_from": "31.3.2027"}
    plan["people"][0] |= {"roles": ["boss"], "email": "nobody"}
    plan["policy"] = {"standby": "maybe", "ladder": {"vp_hours": 0}}
    del plan["programme"]["currency"]
    reading = read_plan(json.dumps(plan))
    found = {fault.path: (fault.code, fault.allowed) for fault in reading.faults}
    assert found == {
        "/programme/currency": ("required", "ISO 4217 code"),
        "/regions/0/countrys": ("unknown_field", "countries, id, name, subdivisions"),
        "/regions/0/id": ("bad_format", "a text; the pattern ^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"),
        "/segments/0/employees_from": ("out_of_range", "1 or more"),
        "/tiers/0/rank": ("wrong_type", "a whole number"),
        "/partners/0/kind": (
            "not_among",
            "'reseller', 'distributor', 'integrator', 'msp' or 'isv'",
        ),
        "/partners/0/name": ("out_of_range", "1 character or more"),
        "/assignments/0/goal": ("bad_value", "In the programme's currency"),
        "/assignments/0/exclusive": ("wrong_type", "true or false"),
        "/assignments/0/valid_from": ("bad_date", "a date such as 2027-03-31"),
        "/people/0/roles/0": (
            "not_among",
            "'partner_manager', 'vp', 'ceo', 'reviewer', 'direct_owner' or 'partner_contact'",
        ),
        "/people/0/email": ("bad_format", r"a text; the pattern ^[^@\s]+@[^@\s]+$"),
        "/policy/standby": ("not_among", "'promote' or 'off'"),
        "/policy/ladder/vp_hours": ("out_of_range", "1 or more"),
    }
    assert ("regions", 0, "id") in reading.faulty
    assert ("programme", "currency") in reading.faulty
    assert "Did you mean `countries`?" in str(reading.faults)


@pytest.mark.parametrize(
    "goal",
    ["1E+999999", "1e5", "NaN", "Infinity", 10**30, "9" * 19, "١٢", " 5", "", "-1", 1.0, True],
)
def test_amounts_are_digits(goal: Any) -> None:
    plan = small_plan()
    plan["assignments"][0]["goal"] = goal
    assert [path for path, _ in codes(json.dumps(plan))] == ["/assignments/0/goal"]


@pytest.mark.parametrize("name", ["Ada\nBcc: x", "Ada\r", "Ada\t", "Ada\x7f", "Ada\x1b[2J"])
def test_a_name_stands_on_one_line(name: str) -> None:
    plan = small_plan()
    plan["partners"][0]["name"] = name
    assert codes(json.dumps(plan)) == [("/partners/0/name", "not_text")]
    plan["partners"][0]["name"] = "back\\nslash"
    assert codes(json.dumps(plan)) == []


def test_a_persons_address_is_not_repeated() -> None:
    plan = small_plan()
    plan["people"][0]["email"] = "mia at home"
    assert "mia at home" not in str(read_plan(json.dumps(plan)).faults)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(small_plan())), JSON)
def test_nothing_that_json_can_say_breaks_the_reader(section: str, value: Any) -> None:
    reading = read_plan(json.dumps(small_plan() | {section: value}))
    assert all(fault.path.startswith(f"/{section}") for fault in reading.faults)


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode()))
def test_no_bytes_break_the_reader(raw: bytes) -> None:
    assert read_plan(raw).faults

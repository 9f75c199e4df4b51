"""Money, decimals and instants: one spelling on the wire, nothing converted, nothing lost."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dealreg_shared.contracts.base import (
    Contract,
    EventData,
    Instant,
    Market,
    Money,
    format_instant,
)
from dealreg_shared.db.types import canonical_json, parse_instant


class Moment(EventData):
    at: Instant


def read_amount(text: Any) -> Decimal:
    return Money.model_validate_json(json.dumps({"amount": text, "currency": "USD"})).amount


def read_moment(text: Any) -> datetime:
    return Moment.model_validate_json(json.dumps({"at": text})).at


zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
first, last = datetime(1, 1, 2), datetime(9999, 12, 30)  # noqa: DTZ001 - the strategy adds the zone
moments = st.datetimes(min_value=first, max_value=last, timezones=zones)
amounts = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=6
) | st.decimals(allow_nan=False, allow_infinity=False, min_value=-1000, max_value=1000)


@given(amounts)
def test_money_comes_back_as_it_was_sent(amount: Decimal) -> None:
    sent = Money(amount=amount, currency="EUR")

    received = Money.model_validate_json(sent.model_dump_json())

    assert received == sent
    assert received.model_dump_json() == sent.model_dump_json()
    assert received.amount.as_tuple().exponent == min(amount.as_tuple().exponent, 0)


@pytest.mark.parametrize("text", ["0", "25000.00", "-12.5", "0.0000000001", "1" * 40, "-0"])
def test_a_decimal_keeps_its_digits(text: str) -> None:
    sent = Money(amount=read_amount(text), currency="USD")

    assert json.loads(sent.model_dump_json()) == {"amount": text, "currency": "USD"}


@pytest.mark.parametrize(
    "written",
    [
        12.5,
        12,
        True,
        None,
        "",
        " 1",
        "1 ",
        "1\n",
        "+5",
        ".5",
        "5.",
        "1e3",
        "1E+999999",
        "1_000",
        "1,000",
        "٣",
        "NaN",
        "Infinity",
        "0x1f",
    ],
)
def test_what_is_no_plain_decimal_is_refused(written: Any) -> None:
    with pytest.raises(ValidationError, match="amount"):
        read_amount(written)


@pytest.mark.parametrize("made", [12.5, 12, True, Decimal("NaN"), Decimal("-Infinity")])
def test_a_writer_gives_a_finite_decimal(made: Any) -> None:
    with pytest.raises(ValidationError, match="amount"):
        Money(amount=made, currency="USD")


def test_a_large_exponent_is_written_out() -> None:
    assert '"2000"' in Money(amount=Decimal("2E+3"), currency="USD").model_dump_json()


@pytest.mark.parametrize("code", ["usd", "US", "USDX", "U1D", "", "USD\n"])
def test_a_currency_has_three_capitals(code: str) -> None:
    with pytest.raises(ValidationError, match="currency"):
        Money(amount=Decimal(1), currency=code)


@given(moments)
def test_an_instant_comes_back_in_utc(at: datetime) -> None:
    sent = Moment(at=at)

    received = Moment.model_validate_json(sent.model_dump_json())

    assert received == sent
    assert received.at == at
    assert received.at.tzinfo is UTC or received.at.utcoffset() == timedelta(0)


@given(moments, moments)
def test_the_order_of_the_text_is_the_order_of_the_instants(one: datetime, two: datetime) -> None:
    texts = format_instant(one), format_instant(two)

    assert {len(text) for text in texts} == {27}
    assert (texts[0] < texts[1]) == (one < two)
    assert (parse_instant(texts[0]), parse_instant(texts[1])) == (one, two)


def test_an_instant_is_written_in_one_spelling() -> None:
    at = datetime(2027, 3, 1, 2, 0, tzinfo=timezone(timedelta(hours=2)))

    assert Moment(at=at).model_dump_json() == '{"at":"2027-03-01T00:00:00.000000Z"}'
    assert format_instant(datetime(1, 1, 1, tzinfo=UTC)) == "0001-01-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("2027-03-01T09:00:00", "zone"),
        (1_700_000_000, "datetime"),
        ("yesterday", "datetime"),
        (None, "datetime"),
        ("0001-01-01T00:00:00+14:00", "between the years"),
        ("9999-12-31T23:59:59-10:00", "between the years"),
    ],
)
def test_a_time_without_a_zone_or_beyond_the_calendar_is_refused(written: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        read_moment(written)


def test_a_writer_gives_a_datetime_with_a_zone() -> None:
    naive = datetime(2027, 3, 1)  # noqa: DTZ001 - this is what must be refused
    for made in (naive, "2027-03-01T00:00:00Z"):
        with pytest.raises(ValidationError, match="at"):
            Moment(at=made)  # type: ignore[arg-type]  # what must be refused


def test_a_contract_cannot_be_changed_and_ignores_what_it_does_not_know() -> None:
    money = Money.model_validate_json('{"amount": "1", "currency": "USD", "rate": "1.1"}')

    with pytest.raises(ValidationError, match="frozen"):
        money.currency = "EUR"  # type: ignore[misc]  # what must be refused
    assert "rate" not in money.model_dump()
    assert Contract.model_config["extra"] == "ignore"


def test_a_market_is_named_by_both_its_parts() -> None:
    assert Market(region="emea", segment="smb").id == "emea/smb"
    assert Market(region=None, segment="smb").id == "-/smb"
    assert Market(region="emea", segment=None).id == "emea/-"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_canonical_json_is_one_spelling(value: Any) -> None:
    text = canonical_json(value)

    assert canonical_json(json.loads(text)) == text
    if isinstance(value, dict):
        assert canonical_json(dict(reversed(value.items()))) == text

"""Rows of a CSV as bodies of the API: each cell lands where it belongs; what is unreadable is named."""

import csv
import json
from pathlib import Path

import pytest

from dealreg.registration_rows import RowFault, body_of, columns_of, idempotency_key
from dealreg_registration.api.schemas import RegistrationBody

STREAM = Path(__file__).resolve().parents[3] / "examples" / "stream" / "registrations.csv"

ROW = {
    "event_id": "R1",
    "received_at": "2026-01-02T03:04:05Z",
    "partner_id": "PT1",
    "account_name": " Example Inc ",
    "account_domain": "",
    "country": "US",
    "state": "CA",
    "postal_code": "94105",
    "naics2022": "",
    "employee_band": "51-200",
    "product_id": "P-1; P-2",
    "amount": "10.50",
    "currency": "USD",
    "expected_close": "2026-05-01",
}


def body(**changes: str) -> dict[str, object]:
    row = {**ROW, **changes}
    return body_of(row, columns_of(list(row)))


def test_a_row_becomes_a_body() -> None:
    assert body() == {
        "partner_id": "PT1",
        "account": {
            "name": "Example Inc",
            "country": "US",
            "subdivision": "US-CA",
            "postal_code": "94105",
            "employees": {"from": 51, "to": 200},
        },
        "product_lines": ["P-1", "P-2"],
        "amount": {"amount": "10.50", "currency": "USD"},
        "close_date": "2026-05-01",
        "external_reference": "R1",
    }


def test_the_api_takes_every_row_of_the_stream() -> None:
    with STREAM.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        columns = columns_of(reader.fieldnames or ())
        bodies = [body_of(row, columns) for row in reader]
    assert len(bodies) == 2000
    for each in bodies:
        RegistrationBody.model_validate_json(json.dumps(each))


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12), ("10001+", {"from": 10001}), ("1 - 10", {"from": 1, "to": 10})],
)
def test_sizes_are_numbers_or_bands(text: str, value: object) -> None:
    account = body(employee_band=text)["account"]
    assert isinstance(account, dict)
    assert account["employees"] == value


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"employee_band": "many"}, "employee_band"), ({"country": ""}, "state")],
)
def test_what_cannot_be_read_is_named(changes: dict[str, str], field: str) -> None:
    with pytest.raises(RowFault) as caught:
        body(**changes)
    assert caught.value.field == field


def test_a_row_with_another_number_of_cells_is_refused() -> None:
    columns = columns_of(list(ROW))
    with pytest.raises(RowFault, match="as many cells"):
        body_of({**ROW, "currency": None}, columns)


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ([*ROW, "colour"], "colour"),
        ([*ROW, "close_date"], "close_date"),
        ([name for name in ROW if name != "amount"], "amount"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(header: list[str], field: str) -> None:
    with pytest.raises(RowFault) as caught:
        columns_of(header)
    assert caught.value.field == field


def test_the_key_follows_the_content() -> None:
    assert idempotency_key(body()) == idempotency_key(body())
    assert idempotency_key(body()) != idempotency_key(body(amount="10.51"))
    assert len(idempotency_key(body())) <= 255

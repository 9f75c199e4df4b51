"""A row of a registrations CSV as the body of ``POST /v1/registrations``.

The columns are those of ``COLUMNS``; each may be called by any of its names, in any order. Only what the
API cannot know is checked here (how a CSV spells a band or a list); the API checks the rest.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "partner_id": ("partner_id",),
    "account.name": ("account_name",),
    "account.domain": ("account_domain", "domain"),
    "account.country": ("country",),
    "account.subdivision": ("state", "subdivision"),
    "account.postal_code": ("postal_code", "zip"),
    "account.city": ("city",),
    "account.employees": ("employee_band", "employees"),
    "account.naics": ("naics2022", "naics"),
    "account.sic": ("sic1987", "sic"),
    "product_lines": ("product_id", "product_lines"),
    "amount.amount": ("amount",),
    "amount.currency": ("currency",),
    "close_date": ("expected_close", "close_date"),
    "deal_type": ("deal_type",),
    "evidence": ("evidence",),
    "external_reference": ("event_id", "external_reference"),
}
"""Field of the body -> the names its column may have."""

IGNORED = ("received_at",)
"""Columns that exports hold and filing does not: the instant of filing is the service's own."""

REQUIRED = ("account.name", "product_lines", "amount.amount", "amount.currency", "close_date")

_BAND = re.compile(r"(\d+)\s*-\s*(\d+)")
_FROM = re.compile(r"(\d+)\s*\+")


class RowFault(Exception):
    """The row cannot be read. ``field`` names the column."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field = field
        self.rule = rule


def columns_of(header: Sequence[str]) -> dict[str, str]:
    """Field -> column, for a CSV with this header.

    Raises ``RowFault`` when a column is unknown, a field has two columns, or a required one has none.
    """
    known = {name: field for field, names in COLUMNS.items() for name in names}
    found: dict[str, str] = {}
    for column in header:
        name = column.strip().lower()
        if name in IGNORED:
            continue
        field = known.get(name)
        if field is None:
            raise RowFault(column, f"no such column; known are {', '.join(sorted(known))}")
        if field in found:
            raise RowFault(column, f"says the same as column {found[field]!r}")
        found[field] = column
    for field in REQUIRED:
        if field not in found:
            raise RowFault(COLUMNS[field][0], "this column is required")
    return found


def body_of(row: Mapping[str, str | None], columns: Mapping[str, str]) -> dict[str, Any]:
    """The JSON body of one row; empty cells are left out. Raises ``RowFault``."""
    if None in row or None in row.values():
        raise RowFault("row", f"must have as many cells as the header ({len(columns)} are used)")
    given = {
        field: text for field, column in columns.items() if (text := (row[column] or "").strip())
    }
    body: dict[str, Any] = {}
    for field, text in given.items():
        part, _, name = field.rpartition(".")
        target = body.setdefault(part, {}) if part else body
        target[name] = _value(field, text, given, columns)
    return body


def _value(field: str, text: str, given: Mapping[str, str], columns: Mapping[str, str]) -> Any:
    if field == "product_lines":
        return [part for part in re.split(r"[;\s]+", text) if part]
    if field == "evidence":
        return [text]
    if field == "account.subdivision" and "-" not in text:
        if "account.country" not in given:
            raise RowFault(columns[field], "needs a country beside it")
        return f"{given['account.country']}-{text}"
    if field == "account.employees":
        return _employees(text, columns[field])
    return text


def _employees(text: str, column: str) -> int | dict[str, int]:
    if text.isdecimal():
        return int(text)
    if band := _BAND.fullmatch(text):
        return {"from": int(band[1]), "to": int(band[2])}
    if beginning := _FROM.fullmatch(text):
        return {"from": int(beginning[1])}
    raise RowFault(column, "must be a number or a band such as 51-200 or 10001+")


def idempotency_key(body: Mapping[str, Any]) -> str:
    """The key of a row: equal content gives an equal key, so that a second run files nothing twice."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"row-{hashlib.sha256(canonical.encode()).hexdigest()}"

"""``dealreg export``: all registrations that the key may see, as JSON or CSV."""

import csv
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from dealreg.api_client import DEFAULT_URL, Api, Key, Refused, Unreachable, Url, connect
from dealreg.terminal import MISUSED, err, refuse

COLUMNS = (
    "registration_id",
    "filed_at",
    "partner_id",
    "account_id",
    "account_name",
    "region",
    "segment",
    "amount",
    "currency",
    "close_date",
    "deal_type",
    "result",
    "result_at",
    "claim_id",
    "product_line",
    "state",
    "protected_from",
    "protected_until",
    "referred_to",
    "codes",
)
"""One line per claim."""


class Format(StrEnum):
    json = "json"
    csv = "csv"


def export(
    url: Url = DEFAULT_URL,
    key: Key = None,
    format_: Annotated[Format, typer.Option("--format", help="json or csv.")] = Format.json,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File; else standard output.")
    ] = None,
    partner_id: Annotated[str | None, typer.Option("--partner", help="Of one partner.")] = None,
    state: Annotated[
        str | None, typer.Option("--state", help="With a claim in this state.")
    ] = None,
    filed_from: Annotated[
        str | None, typer.Option("--from", help="Filed at or after, RFC 3339 with zone.")
    ] = None,
    filed_before: Annotated[
        str | None, typer.Option("--before", help="Filed before, RFC 3339 with zone.")
    ] = None,
) -> None:
    """Write registrations as JSON (a list) or CSV (a line per claim), the newest first."""
    asked = {
        "partner_id": partner_id,
        "state": state,
        "filed_from": filed_from,
        "filed_before": filed_before,
    }
    query = {name: value for name, value in asked.items() if value is not None}
    try:
        with connect(url, key) as api, _opened(output) as file:
            items = registrations(api, query)
            count = write_json(items, file) if format_ is Format.json else write_csv(items, file)
    except (Refused, Unreachable) as error:
        refuse(str(error))
    err().print(f"{count} registrations")


def registrations(api: Api, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    yield from api.pages("/v1/registrations", **query)


def write_json(items: Iterator[dict[str, Any]], file: TextIO) -> int:
    """A JSON list, one registration per line, so that large exports need little memory."""
    count = 0
    for count, item in enumerate(items, 1):
        file.write("[" if count == 1 else ",\n")
        file.write(json.dumps(item, ensure_ascii=False))
    file.write("]\n" if count else "[]\n")
    return count


def write_csv(items: Iterator[dict[str, Any]], file: TextIO) -> int:
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    count = 0
    for item in items:
        count += 1
        for claim in item["claims"]:
            writer.writerow({name: _safe(value) for name, value in _line(item, claim).items()})
    return count


def _line(item: Mapping[str, Any], claim: Mapping[str, Any]) -> dict[str, Any]:
    market = item.get("market") or {}
    referred = claim.get("referred_to") or {}
    return {
        "registration_id": item["id"],
        "filed_at": item["filed_at"],
        "partner_id": item["partner_id"],
        "account_id": item.get("account_id"),
        "account_name": item["account_name"],
        "region": market.get("region"),
        "segment": market.get("segment"),
        "amount": item["amount"]["amount"],
        "currency": item["amount"]["currency"],
        "close_date": item["close_date"],
        "deal_type": item["deal_type"],
        "result": item["result"],
        "result_at": item["result_at"],
        "claim_id": claim["id"],
        "product_line": claim["product_line"],
        "state": claim["state"],
        "protected_from": claim["protected_from"],
        "protected_until": claim["protected_until"],
        "referred_to": ":".join(filter(None, (referred.get("kind"), referred.get("id")))),
        "codes": " ".join(claim["codes"]),
    }


def _safe(value: Any) -> Any:
    """Text that a spreadsheet would run as a formula is written with a leading apostrophe."""
    if isinstance(value, str) and value[:1] in "=+-@\t\r" and value:
        return f"'{value}"
    return value


@contextmanager
def _opened(path: Path | None) -> Iterator[TextIO]:
    if path is None:
        yield sys.stdout
        return
    try:
        file = path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        refuse(f"{path}: {error.strerror}", MISUSED)
    with file:
        yield file

"""``dealreg import``: file the registrations of a CSV, in its order, with a report per row.

Good rows are filed, bad ones reported; nothing is half done. Every row carries an idempotency key made
from its content, so running the same file again with the same API key files nothing twice. Two rows of
one content are one filing: give them different external references if they are two.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from dealreg.api_client import DEFAULT_URL, Api, Key, Refused, Unreachable, Url, connect
from dealreg.registration_rows import COLUMNS, RowFault, body_of, columns_of, idempotency_key
from dealreg.terminal import FAILED, MISUSED, err, out, refuse

SHOWN_FAULTS = 20


@dataclass(frozen=True, slots=True)
class RowReport:
    """What became of one row; ``row`` counts from 1 below the header."""

    row: int
    external_reference: str
    status: str
    registration_id: str = ""
    receipt: str = ""
    outcomes: str = ""
    detail: str = ""


def import_(
    file: Annotated[
        Path, typer.Argument(help="The CSV file, UTF-8 with a header line.", dir_okay=False)
    ],
    url: Url = DEFAULT_URL,
    key: Key = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", help="Write the report per row to this CSV file.", dir_okay=False),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read every row and file none.")
    ] = False,
) -> None:
    """File the registrations of a CSV file. Exit code 1 if any row was not filed."""
    try:
        rows = list(read_rows(file))
    except (RowFault, OSError, UnicodeDecodeError, csv.Error) as error:
        refuse(f"{file}: {error}", MISUSED)
    _must_be_writable(report)
    reports: list[RowReport] = []
    with (
        nullcontext() if dry_run else connect(url, key) as api,
        Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=err(),
        ) as progress,
    ):
        task = progress.add_task(f"filing {file.name}", total=len(rows))
        try:
            for each in file_rows(rows, api):
                reports.append(each)
                progress.advance(task)
        except Unreachable as error:
            _write(report, reports)
            progress.stop()
            refuse(f"{error} {len(reports)} of {len(rows)} rows are done; run it again to go on.")
    _write(report, reports)
    show(reports)
    if any(each.status not in ("filed", "readable", "same") for each in reports):
        raise typer.Exit(FAILED)


Row = tuple[int, dict[str, Any] | RowFault, str]


def read_rows(path: Path) -> Iterator[Row]:
    """Number, body (or what is wrong with it) and external reference of every row.

    Raises ``RowFault`` for a header that does not fit.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        columns = columns_of(reader.fieldnames or ())
        column = columns.get("external_reference", "")
        for number, row in enumerate(reader, 1):
            reference = row.get(column) or ""
            try:
                yield number, body_of(row, columns), reference
            except RowFault as fault:
                yield number, fault, reference


def file_rows(rows: Sequence[Row], api: Api | None) -> Iterator[RowReport]:
    """File row after row, in order; without an ``api`` only say what could be read."""
    seen: dict[str, int] = {}
    for number, body, reference in rows:
        if isinstance(body, RowFault):
            yield RowReport(number, reference, "unreadable", detail=str(body))
            continue
        key = idempotency_key(body)
        if key in seen:
            yield RowReport(number, reference, "same", detail=f"as row {seen[key]}")
            continue
        seen[key] = number
        if api is None:
            yield RowReport(number, reference, "readable")
            continue
        try:
            answer = api.post("/v1/registrations", body, key=key)
        except Refused as refusal:
            yield RowReport(number, reference, "refused", detail=refusal.sentence)
            continue
        yield RowReport(
            number,
            reference,
            "filed",
            answer["id"],
            answer["receipt"]["number"],
            " ".join(f"{c['product_line']}={c['outcome']}" for c in answer["claims"]),
            " ".join(reason for claim in answer["claims"] for reason in claim["reasons"]),
        )


def _must_be_writable(path: Path | None) -> None:
    """Found out before anything is filed, not after."""
    if path is None:
        return
    try:
        path.open("a").close()
    except OSError as error:
        refuse(f"{path}: {error.strerror}", MISUSED)


def _write(path: Path | None, reports: Sequence[RowReport]) -> None:
    if path is None:
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(RowReport)])
        writer.writerows(astuple(each) for each in reports)


def show(reports: Sequence[RowReport]) -> None:
    """How many of each, and the first faults."""
    counted = Counter(each.status for each in reports)
    out().print(", ".join(f"{count} {status}" for status, count in sorted(counted.items())))
    outcomes = Counter(
        part.rpartition("=")[2] for each in reports for part in each.outcomes.split()
    )
    if outcomes:
        out().print("outcomes: " + ", ".join(f"{n} {name}" for name, n in sorted(outcomes.items())))
    bad = [each for each in reports if each.status in ("refused", "unreadable")]
    if bad:
        table = Table(box=None, padding=(0, 1))
        for name in ("row", "reference", "status", "why"):
            table.add_column(name)
        for each in bad[:SHOWN_FAULTS]:
            table.add_row(str(each.row), each.external_reference, each.status, each.detail)
        out().print(table)
        if len(bad) > SHOWN_FAULTS:
            out().print(f"... and {len(bad) - SHOWN_FAULTS} more; --report FILE has them all")


import_.__doc__ = f"{import_.__doc__}\n\nColumns: " + "; ".join(
    f"{' or '.join(names)} -> {field}" for field, names in COLUMNS.items()
)

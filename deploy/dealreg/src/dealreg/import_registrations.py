"""``dealreg import``: file the registrations of a CSV, in its order, with a report per row.

Good rows are filed, bad ones reported; nothing is half done. Every row carries an idempotency key made
from its content, so running the same file again with the same API key files nothing twice. Two rows of
one content are one filing: give them different external references if they are two.

A dry run asks for a preview of each row instead, which says what would be refused or rejected and
leaves nothing behind; without a key it can only say what each row is by itself.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from dealreg_registration.api.schemas import RegistrationBody
from dealreg_shared.web.problems import Problem

SHOWN_FAULTS = 20

BAD = ("refused", "rejected", "unreadable")
"""Rows that are not filed; ``rejected`` is a dry run's word for what would be filed and rejected."""

_BREAK = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class RowReport:
    """What became of one row; ``line`` is where it begins in the file, from 1."""

    line: int
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
        bool,
        typer.Option(
            "--dry-run",
            help="File none; say what would be refused or rejected. Without a key: by its form alone.",
        ),
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
        nullcontext() if dry_run and not key else connect(url, key) as api,
        Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=err(),
        ) as progress,
    ):
        task = progress.add_task(
            f"{'checking' if dry_run else 'filing'} {file.name}", total=len(rows)
        )
        treat = file_row if not dry_run else preview_row
        try:
            for each in each_once(rows, lambda *row: treat(api, *row) if api else check_row(*row)):
                reports.append(each)
                progress.advance(task)
        except Unreachable as error:
            _write(report, reports)
            progress.stop()
            refuse(f"{error} {len(reports)} of {len(rows)} rows are done; run it again to go on.")
    _write(report, reports)
    show(reports)
    if dry_run and not key:
        err().print("No key: the rows were not held against the plan in force.")
    if any(each.status in BAD for each in reports):
        raise typer.Exit(FAILED)


Row = tuple[int, dict[str, Any] | RowFault, str]


def read_rows(path: Path) -> Iterator[Row]:
    """First line, body (or what is wrong with it) and external reference of every row.

    Raises ``RowFault`` for a header that does not fit, and for a file that is no CSV from a line on.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        try:
            columns = columns_of(reader.fieldnames or ())
            column = columns.get("external_reference", "")
            for row in reader:
                reference = row.get(column) or ""
                line = reader.line_num - _breaks(row)
                try:
                    yield line, body_of(row, columns), reference
                except RowFault as fault:
                    yield line, fault, reference
        except csv.Error as error:
            raise RowFault(f"line {reader.line_num}", str(error)) from error


def _breaks(row: Mapping[Any, Any]) -> int:
    """Line breaks inside a row's cells."""
    cells = [
        cell for value in row.values() for cell in (value if isinstance(value, list) else [value])
    ]
    return sum(len(_BREAK.findall(cell or "")) for cell in cells)


Treat = Callable[[int, dict[str, Any], str], RowReport]


def each_once(rows: Sequence[Row], treat: Treat) -> Iterator[RowReport]:
    """``treat`` row after row, in order, but what cannot be read and what stood before."""
    seen: dict[str, int] = {}
    for line, body, reference in rows:
        if isinstance(body, RowFault):
            yield RowReport(line, reference, "unreadable", detail=str(body))
            continue
        first = seen.setdefault(idempotency_key(body), line)
        if first != line:
            yield RowReport(line, reference, "same", detail=f"as line {first}")
            continue
        yield treat(line, body, reference)


def file_row(api: Api, line: int, body: dict[str, Any], reference: str) -> RowReport:
    """File it, or find that it was filed before."""
    try:
        answer, before = api.post_once("/v1/registrations", body, key=idempotency_key(body))
    except Refused as refusal:
        return RowReport(line, reference, "refused", detail=refusal.sentence)
    return RowReport(
        line,
        reference,
        "already filed" if before else "filed",
        answer["id"],
        answer["receipt"]["number"],
        " ".join(f"{c['product_line']}={c['outcome']}" for c in answer["claims"]),
        " ".join(reason for claim in answer["claims"] for reason in claim["reasons"]),
    )


def preview_row(api: Api, line: int, body: dict[str, Any], reference: str) -> RowReport:
    """What filing it would be answered by the plan in force alone."""
    try:
        answer = api.post("/v1/registrations/preview", body)
    except Refused as refusal:
        return RowReport(line, reference, "refused", detail=refusal.sentence)
    claims = answer["claims"]
    rejected = any(claim["answer"] == "not_eligible" for claim in claims)
    return RowReport(
        line,
        reference,
        "rejected" if rejected else "fit",
        outcomes=" ".join(f"{c['product_line']}={c['answer']}" for c in claims),
        detail=" ".join(reason for claim in claims for reason in claim["reasons"]),
    )


def check_row(line: int, body: dict[str, Any], reference: str) -> RowReport:
    """Whether it is a filing by its form, which needs no service."""
    try:
        RegistrationBody.parse(json.dumps(body).encode())
    except Problem as problem:
        named = "; ".join(f"{error['field']}: {error['rule']}" for error in problem.errors)
        return RowReport(line, reference, "refused", detail=named or str(problem.detail))
    return RowReport(line, reference, "readable")


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
    bad = [each for each in reports if each.status in BAD]
    if bad:
        table = Table(box=None, padding=(0, 1))
        for name in ("line", "reference", "status", "why"):
            table.add_column(name)
        for each in bad[:SHOWN_FAULTS]:
            table.add_row(str(each.line), each.external_reference, each.status, each.detail)
        out().print(table)
        if len(bad) > SHOWN_FAULTS:
            out().print(f"... and {len(bad) - SHOWN_FAULTS} more; --report FILE has them all")


import_.__doc__ = f"{import_.__doc__}\n\nColumns: " + "; ".join(
    f"{' or '.join(names)} -> {field}" for field, names in COLUMNS.items()
)

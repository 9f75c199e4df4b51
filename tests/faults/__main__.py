"""The proof: ``python -m tests.faults [--full] [--row NAME]... [--on embedded|servers]``.

Starts a PostgreSQL (fsync on) and a Kafka of its own, tries every row and prints the table. Ends with 1
if a promise was broken; in CI also if one could not be tried.
"""

import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import psutil
import typer
from rich.console import Console

from dealreg_devstack import Kafka, Postgres
from tests.faults.proof import NAMES, Lab, Line, NotTried, Outcome, Row, Where, rows, show
from tests.faults.spawner import spawner

cli = typer.Typer(add_completion=False)


@cli.command()
def prove(
    full: Annotated[bool, typer.Option("--full", help="The full counts; else the smoke.")] = False,
    row: Annotated[list[str] | None, typer.Option(help="Only this row; may be repeated.")] = None,
    on: Annotated[
        Literal["embedded", "servers"] | None, typer.Option(help="Only on this; else on both.")
    ] = None,
) -> None:
    """Try every promise and print what was found."""
    console = Console(width=None if os.isatty(1) else 160)
    chosen = [it for it in rows() if row is None or it.name in row]
    if not chosen:
        raise typer.BadParameter(f"rows are {', '.join(it.name for it in rows())}")
    places: tuple[Where, ...] = ("embedded", "servers") if on is None else (on,)
    chosen = [it for it in chosen if any(it.tried_on(where, full=full) for where in places)]
    if not chosen:
        raise typer.BadParameter("nothing is tried there" + ("" if full else "; try --full"))
    lines: list[Line] = []
    for where in places:
        its = [it for it in chosen if it.tried_on(where, full=full)]
        with _servers(where if its else "embedded") as (postgres, kafka), spawner() as forks:
            for it in its:
                with tempfile.TemporaryDirectory() as folder:
                    lab = Lab(where, Path(folder), full, postgres, kafka, forks, console.print)
                    lines.append(_try(it, where, lab, console))
    console.print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {_machine()}, commit {_commit()}")
    show(lines, console)
    raise typer.Exit(0 if not any(line.bad for line in lines) else 1)


def _try(row: Row, where: Where, lab: Lab, console: Console) -> Line:
    console.print(f"{row.name} on {NAMES[where]}: {row.promise}", style="dim")
    began = time.monotonic()
    try:
        outcome: Outcome | NotTried = row.prove(lab)
    except NotTried as reason:
        outcome = reason
    except AssertionError as error:
        outcome = Outcome("ended early", str(error)[:500], kept=False)
    return Line(row, where, outcome, time.monotonic() - began)


@contextmanager
def _servers(where: Where) -> Iterator[tuple[Postgres | None, Kafka | None]]:
    if where == "embedded":
        yield None, None
        return
    with Postgres(fsync=True) as postgres, Kafka() as kafka:
        yield postgres, kafka


def _machine() -> str:
    memory = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"


def _commit() -> str:
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return said.stdout.strip() or "unknown"


if __name__ == "__main__":
    cli()

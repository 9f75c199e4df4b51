"""The proof: ``python -m tests.faults [--full] [--row NAME]... [--on embedded|servers]``.

Starts a PostgreSQL (fsync on) and a Kafka of its own, tries every row, the two kinds of installation
side by side, and prints the table. Ends with 1 if a promise was broken; in CI also if one was not tried.
"""

import os
import platform
import subprocess
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from typing import Annotated, Literal

import psutil
import typer

from tests.faults.lanes import console_here, lane
from tests.faults.proof import Where, rows, show

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
    chosen = [it for it in rows() if row is None or it.name in row]
    if not chosen:
        raise typer.BadParameter(f"rows are {', '.join(it.name for it in rows())}")
    places: tuple[Where, ...] = ("embedded", "servers") if on is None else (on,)
    chosen = [it for it in chosen if any(it.tried_on(where, full=full) for where in places)]
    if not chosen:
        raise typer.BadParameter("nothing is tried there" + ("" if full else "; try --full"))
    lanes = [
        (where, [it.name for it in chosen if it.tried_on(where, full=full)], full)
        for where in places
    ]
    if len(lanes) == 1:
        lines = lane(*lanes[0])
    else:
        with ProcessPoolExecutor(len(lanes), mp_context=get_context("spawn")) as beside:
            lines = [line for its in beside.map(lane, *zip(*lanes, strict=True)) for line in its]
    console = console_here()
    console.print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {_machine()}, commit {_commit()}")
    show(lines, console)
    raise typer.Exit(0 if not any(line.bad for line in lines) else 1)


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

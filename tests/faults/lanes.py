"""The rows of one kind of installation, one after the other, in a process of their own."""

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from dealreg_devstack import Kafka, Postgres
from tests.faults.proof import NAMES, Lab, Line, NotTried, Outcome, Row, Where, rows
from tests.faults.spawner import spawner


def console_here() -> Console:
    """As wide as the terminal, else wide enough for the table."""
    return Console(width=None if os.isatty(1) else 160)


def lane(where: Where, names: Sequence[str], full: bool) -> list[Line]:
    """Try these rows on servers of their own, and say at once what came of each."""
    console = console_here()
    its = [it for it in rows() if it.name in names]
    lines: list[Line] = []
    with _servers(where if its else "embedded") as (postgres, kafka), spawner() as forks:
        for it in its:
            with tempfile.TemporaryDirectory() as folder:
                lab = Lab(where, Path(folder), full, postgres, kafka, forks, console.print)
                lines.append(_try(it, where, lab, console))
    return lines


def _try(row: Row, where: Where, lab: Lab, console: Console) -> Line:
    console.print(f"{row.name} on {NAMES[where]}: {row.promise}", style="dim")
    began = time.monotonic()
    try:
        outcome: Outcome | NotTried = row.prove(lab)
    except NotTried as reason:
        outcome = reason
    except Exception as error:  # the other rows are tried all the same; the table says NO
        console.print_exception()
        outcome = Outcome("ended early", str(error)[:500] or repr(error), kept=False)
    line = Line(row, where, outcome, time.monotonic() - began)
    tried, found, kept = line.words
    console.print(f"{row.name} on {NAMES[where]}, {line.seconds:.0f} s, kept: {kept}", style="dim")
    console.print(f"  tried {tried}; found {found}", style="dim")
    return line


@contextmanager
def _servers(where: Where) -> Iterator[tuple[Postgres | None, Kafka | None]]:
    if where == "embedded":
        yield None, None
        return
    with Postgres(fsync=True) as postgres, Kafka() as kafka:
        yield postgres, kafka

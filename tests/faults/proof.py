"""What a row of the proof is, and the table that the proof prints.

A row tries one promise, on SQLite with the embedded bus and on PostgreSQL with Kafka, in a smoke size
(inside ``make test``) and in full. It reports what it tried, how often and what it found; it asserts no
speed. A row that finds a broken promise returns it, it does not raise: the table shows all of them. A
row that cannot be tried here says so (``NotTried``): that promise is neither kept nor broken.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from dealreg_devstack import Kafka, Postgres
from tests.faults.installation import Installation, make_installation
from tests.faults.spawner import Spawner
from tests.leaving_out import leave_out, nothing_may_be_left_out

Where = Literal["embedded", "servers"]
"""SQLite and the embedded bus, or PostgreSQL and Kafka."""

NAMES: dict[Where, str] = {"embedded": "SQLite, embedded bus", "servers": "PostgreSQL, Kafka"}


@dataclass
class Lab:
    """Where a row works: a folder of its own, and servers that it must not break."""

    where: Where
    folder: Path
    full: bool = False
    postgres: Postgres | None = None
    kafka: Kafka | None = None
    spawner: Spawner | None = None
    say: Callable[[str], None] = field(default=lambda _: None)

    @contextmanager
    def installation(
        self, *, postgres: Postgres | None = None, kafka: Kafka | None = None
    ) -> Iterator[Installation]:
        """A new installation; on servers of the row's own (to be broken) where it names them."""
        servers = (postgres or self.postgres, kafka or self.kafka)
        with make_installation(
            self.folder,
            postgres=servers[0] if self.where == "servers" else None,
            kafka=servers[1] if self.where == "servers" else None,
            spawner=self.spawner,
        ) as made:
            yield made

    def count(self, smoke: int, full: int) -> int:
        """How often: the smoke's count or the full one."""
        return full if self.full else smoke


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a row: ``tried`` says what and how often, ``found`` what was seen."""

    tried: str
    found: str
    kept: bool


class NotTried(Exception):
    """This machine cannot try the promise; the text says why, after "because"."""


@dataclass(frozen=True, slots=True)
class Row:
    """A promise and how it is tried.

    ``where``: on what, if not on both. ``smoke_where``: on what in the smoke, if not on all of these.
    """

    name: str
    promise: str
    target: str
    prove: Callable[[Lab], Outcome]
    where: Sequence[Where] = ("embedded", "servers")
    smoke_where: Sequence[Where] | None = None

    def tried_on(self, where: Where, *, full: bool) -> bool:
        """Whether it is tried on this, in full or in the smoke."""
        smoke = self.where if self.smoke_where is None else self.smoke_where
        return where in (self.where if full else smoke)

    def check(self, lab: Lab) -> None:
        """Try it in a test. Raises AssertionError with what was found; a skip where it was not tried."""
        try:
            outcome = self.prove(lab)
        except NotTried as reason:
            leave_out(f"{self.promise} not tried, because {reason}")
        assert outcome.kept, f"{self.promise}: {outcome.found} (tried {outcome.tried})"


def rows() -> list[Row]:
    """All rows, one per module of the folder ``rows``, in the order of their names."""
    names = sorted(file.stem for file in (Path(__file__).parent / "rows").glob("*.py"))
    return [import_module(f"tests.faults.rows.{name}").ROW for name in names]


@dataclass(frozen=True, slots=True)
class Line:
    """A printed line of the table."""

    row: Row
    where: Where
    outcome: Outcome | NotTried
    seconds: float

    @property
    def bad(self) -> bool:
        """Whether the promise is broken or, in CI, was not tried."""
        if isinstance(self.outcome, NotTried):
            return nothing_may_be_left_out()
        return not self.outcome.kept

    @property
    def words(self) -> tuple[str, str, str]:
        """What was tried, what was found, and whether the promise is kept."""
        if isinstance(self.outcome, NotTried):
            return "nothing", f"not tried, because {self.outcome}", "not tried"
        return self.outcome.tried, self.outcome.found, "yes" if self.outcome.kept else "NO"


def show(lines: Sequence[Line], console: Console) -> None:
    """Print the table."""
    table = Table(show_lines=True)
    for title in ("#", "promise", "on", "tried", "found", "target", "kept", "s"):
        table.add_column(title, justify="right" if title in ("#", "s") else "left")
    for line in lines:
        tried, found, kept = line.words
        table.add_row(
            line.row.name,
            line.row.promise,
            NAMES[line.where],
            tried,
            found,
            line.row.target,
            kept,
            f"{line.seconds:.0f}",
        )
    console.print(table)

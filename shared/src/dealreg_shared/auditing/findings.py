"""The words of an audit: a check looks at a slice of a table and answers with findings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Table

from dealreg_shared.inbox.tables import InboxTables
from dealreg_shared.ladder import Course
from dealreg_shared.outbox.tables import OutboxTables

OVERDUE = timedelta(seconds=60)
"""What is due for longer than this has been forgotten; what is younger may be on its way."""

SLICE = 1_000
"""Rows of a long table that one look takes."""

MOST = 1_000
"""Findings that one look names; the rest is found once these are mended."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be. ``ids`` name what it is about, the most telling first;
    ``since``: from when on, where that is known."""

    sentence: str
    ids: tuple[str, ...] = ()
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look found among ``looked_at`` rows. ``after``: where the next one begins; None: that was
    the end of the table."""

    findings: Sequence[Finding]
    looked_at: int
    after: str | None = None


Look = Callable[[Connection, str, datetime], Looked]
"""(connection, where to begin, now by the database's clock). The first look of a round begins at ''."""


@dataclass(frozen=True, slots=True)
class Check:
    """Something that must hold. ``often``: asked in every watch, as it tells that something stands."""

    name: str
    look: Look
    often: bool = False


@dataclass(frozen=True, slots=True)
class OpenCase:
    """A case that is open, as one service knows it: registration its course, notifier the level that
    it told last. None: without a ladder."""

    case_id: str
    opened_at: datetime
    course: Course | None = None
    level: int | None = None


@dataclass(frozen=True, slots=True)
class Audited:
    """What the auditor may know of a service. ``consumers``: group -> the topics that it reads.
    ``open_cases``, and ``closed_cases`` (id -> when, of the given ids), where the service knows cases.
    """

    service: str
    outbox: OutboxTables
    inbox: InboxTables
    heartbeat: Table
    access: Table
    consumers: Mapping[str, Sequence[str]]
    checks: Sequence[Check]
    open_cases: Callable[[Connection], list[OpenCase]] = lambda _conn: []
    closed_cases: Callable[[Connection, Sequence[str]], dict[str, datetime]] = lambda _conn, _ids: {}


def whole(find: Callable[[Connection, datetime], tuple[Sequence[Finding], int]]) -> Look:
    """A look that takes everything at once: findings, and at how many rows it has looked."""

    def look(conn: Connection, _after: str, now: datetime) -> Looked:
        return Looked(*find(conn, now))

    return look

"""Heartbeats: a row per moving part, so that another process sees which part stands still.

Every few seconds a process writes the instant into the rows of those of its parts that have turned since
(``turns``). Several processes of one service share the rows: a part lives while any of them moves it.
The instants are never compared with a clock: whoever watches asks whether a row has changed, and
measures by a clock of its own. So a stepped clock and a night without power alarm nobody.

The row ``auditor`` is the auditor's. The process looks at it in turn and says when it stands still.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from time import monotonic

from sqlalchemy import Column, Connection, MetaData, String, Table, select

from dealreg_shared.db import Database, UtcDateTime, app_now
from dealreg_shared.db.faults import is_transient
from dealreg_shared.db.upsert import upsert
from dealreg_shared.telemetry import get_logger, metrics
from dealreg_shared.turns import Turns

BEAT_SECONDS = 5.0
AUDITOR = "auditor"
AUDITOR_SILENT_SECONDS = 45.0
"""The auditor counts as silent when its row has stood still for so long."""

_AUDITOR_SILENT = metrics.gauge(
    "dealreg_auditor_silent_seconds",
    "How long the auditor's heartbeat has stood still, as a service sees it.",
    "service",
)


def heartbeat_table(metadata: MetaData) -> Table:
    """Add the table ``heartbeat`` to ``metadata``."""
    return Table(
        "heartbeat",
        metadata,
        Column("part", String(100), primary_key=True),
        Column("at", UtcDateTime, nullable=False),
    )


def beat(conn: Connection, table: Table, parts: Collection[str], at: datetime) -> None:
    """Write ``at`` into the rows of ``parts``, made where they are missing."""
    if not parts:
        return
    statement = upsert(conn.dialect.name, table)
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=[table.c.part], set_={"at": statement.excluded.at}
        ),
        [{"part": part, "at": at} for part in sorted(parts)],
    )


def heartbeats(conn: Connection, table: Table) -> dict[str, datetime]:
    """Part -> when it was last said to move."""
    return {row.part: row.at for row in conn.execute(select(table))}


class Standing:
    """How long values have stood still, in seconds of this process's own clock.

    ``step`` is the usual time between two looks; of a longer one (this process itself was stopped) no
    more than twice that counts.
    """

    def __init__(self, step: float, clock: Callable[[], float] = monotonic) -> None:
        self._step = step
        self._clock = clock
        self._before: float | None = None
        self._known: dict[str, tuple[object, float]] = {}

    def look(self, values: Mapping[str, object]) -> dict[str, float]:
        """Name -> seconds since its value last changed; 0 for one that is new or has changed."""
        now = self._clock()
        elapsed = 0.0 if self._before is None else max(0.0, min(now - self._before, 2 * self._step))
        self._before = now
        known: dict[str, tuple[object, float]] = {}
        for name, value in values.items():
            former, still = self._known.get(name, (value, -elapsed))
            known[name] = (value, still + elapsed if value == former else 0.0)
        self._known = known
        return {name: still for name, (_, still) in known.items()}


class Pulse:
    """Writes the heartbeats of one service's parts in this process, and looks at the auditor's."""

    def __init__(
        self,
        database: Database,
        table: Table,
        service: str,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._database = database
        self._table = table
        self._service = service
        self._parts: Mapping[str, Turns] = {}
        self._told: dict[str, int] = {}
        self._standing = Standing(BEAT_SECONDS, clock)
        self._auditor_still: float | None = None
        self._said = False

    async def declare(self, parts: Mapping[str, Turns]) -> None:
        """These are the service's parts. Also one that never turns has a row from now on; rows of parts
        that the service no longer has are deleted."""
        self._parts = parts
        table = self._table

        def work(conn: Connection) -> None:
            conn.execute(table.delete().where(table.c.part.not_in([*parts, AUDITOR])))
            beat(conn, table, list(parts), app_now(conn))

        await self._database.write(work)

    async def beat(self) -> None:
        """Say which parts have turned since last time, and look whether the auditor has."""
        counts = {part: turns.count for part, turns in self._parts.items()}
        turned = [part for part, count in counts.items() if count != self._told.get(part, 0)]

        def work(conn: Connection) -> datetime | None:
            beat(conn, self._table, turned, app_now(conn))
            return conn.execute(
                select(self._table.c.at).where(self._table.c.part == AUDITOR)
            ).scalar()

        auditor = await self._database.write(work)
        self._told = counts
        self._look(auditor)

    async def run(self) -> None:
        """Beat until cancelled. Outlives a database that is away."""
        while True:
            try:
                await self.beat()
            except Exception as error:
                if not is_transient(error):
                    raise
                get_logger(__name__).warning(
                    "no heartbeat", service=self._service, error=repr(error)
                )
            await asyncio.sleep(BEAT_SECONDS)

    def auditor(self) -> str:
        """``ok``, ``silent``, or ``none`` where no auditor has ever looked at this database."""
        if self._auditor_still is None:
            return "none"
        return "silent" if self._auditor_still > AUDITOR_SILENT_SECONDS else "ok"

    def _look(self, at: datetime | None) -> None:
        if at is None:
            return
        self._auditor_still = self._standing.look({AUDITOR: at})[AUDITOR]
        _AUDITOR_SILENT.labels(self._service).set(self._auditor_still)
        silent = self.auditor() == "silent"
        if silent and not self._said:
            get_logger(__name__).error(
                "the auditor is silent", service=self._service, seconds=self._auditor_still
            )
        self._said = silent

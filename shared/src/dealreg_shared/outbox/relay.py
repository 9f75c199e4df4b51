"""Carries outbox rows to the bus.

What makes it neither lose nor reorder: it always takes the oldest unsent rows, publishes them, awaits
the acknowledgement, marks exactly those ids, and after any failure reads again from the start. There is
no cursor. A lease per shard keeps two processes from doing the same work; it creates no order and is
not needed for any, so a lease that fails costs duplicates only. Must not know what an event means.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from time import monotonic
from typing import Any

from sqlalchemy import (
    Connection,
    Integer,
    Row,
    Select,
    Table,
    Update,
    bindparam,
    exists,
    func,
    or_,
    select,
)

from dealreg_shared.bus.headers import event_headers, tombstone_headers
from dealreg_shared.bus.port import Bus, BusError, Message
from dealreg_shared.contracts.catalogue import TOPICS
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import Database, app_now
from dealreg_shared.db.faults import is_transient
from dealreg_shared.db.upsert import upsert
from dealreg_shared.ids import new_id
from dealreg_shared.keeping import keeping
from dealreg_shared.outbox.append import SHARDS
from dealreg_shared.outbox.tables import OutboxTables
from dealreg_shared.telemetry import get_logger, metrics
from dealreg_shared.turns import Turns

POLL_SECONDS = 0.2
STANDBY_SECONDS = 2.0
"""How often a relay that holds no shard asks whether one has become free."""

BATCH = 500
PUBLISH_SECONDS = 30.0
LEASE_SECONDS = 9.0
"""Until another relay takes over from one that is paused or dead."""

KEEP_SECONDS = 3.0
"""How often a lease is prolonged, also while a publish is under way."""

LATELY = timedelta(hours=1)
"""How long ago something may have been sent that a relay, paused since and dead by now, repeated."""

MEASURE_SECONDS = 5.0
LONGEST_PAUSE = 5.0

_UNSENT = metrics.gauge("dealreg_outbox_unsent", "Outbox rows not acknowledged yet.", "relay")
_AGE = metrics.gauge(
    "dealreg_outbox_oldest_unsent_seconds", "Age of the oldest unacknowledged outbox row.", "relay"
)
_SENT = metrics.counter("dealreg_outbox_sent", "Outbox rows acknowledged by the bus.", "relay")
_FAILURES = metrics.counter("dealreg_outbox_failures", "Rounds of the relay that failed.", "relay")


@dataclass(frozen=True, slots=True)
class _Held:
    """The shards that this relay may publish, until ``until`` on this process's monotonic clock."""

    shards: tuple[int, ...] = ()
    until: float = 0.0


class Relay:
    """A ``runtime.Flow``: one per process and outbox."""

    def __init__(self, database: Database, tables: OutboxTables, bus: Bus, name: str) -> None:
        self._name = name
        self.turns = Turns()
        self._database = database
        self._tables = tables
        self._bus = bus
        self._holder = new_id("rly")
        self._held = _Held()
        self._hint = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._measured = 0.0

    @property
    def name(self) -> str:
        return self._name

    def wake(self) -> None:
        """Say that rows were committed, so that the relay need not wait for its next poll."""
        self._hint.set()

    async def drain(self) -> int:
        """Publish until nothing unsent is left in the shards that this relay holds.

        Returns how many rows were acknowledged. Raises ``BusError`` and the database's errors.
        """
        self.turns()
        total = 0
        while moved := await self._round():
            total += moved
        return total

    async def run(self) -> None:
        """Publish until cancelled. Outlives a bus and a database that are away."""
        pause = 0.0
        begun = False
        try:
            while True:
                self.turns()
                self._hint.clear()
                try:
                    if not begun:
                        await self._database.write(self._repeat_recent)
                        begun = True
                    moved = await self._round()
                    await self._measure()
                except Exception as error:  # what cannot be retried is raised again
                    if not isinstance(error, BusError) and not is_transient(error):
                        raise
                    pause = min(LONGEST_PAUSE, max(POLL_SECONDS, 2 * pause))
                    _FAILURES.labels(self._name).inc()
                    get_logger(__name__).warning(
                        "relay will try again", relay=self._name, error=repr(error), seconds=pause
                    )
                    await asyncio.sleep(pause)
                    continue
                pause = 0.0
                if not moved:
                    await self._rest()
        finally:
            await self._let_go()

    async def _rest(self) -> None:
        if not self._held.shards:  # another process carries; a hint is not for this one
            await asyncio.sleep(STANDBY_SECONDS)
            return
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._hint.wait()
        except TimeoutError:
            return

    async def _round(self) -> int:
        """One batch: read, publish, mark. Returns how many rows were acknowledged."""
        async with self._one_at_a_time:
            if self._held.until - monotonic() < LEASE_SECONDS - KEEP_SECONDS:
                await self._keep()
                crashpoint("relay.leased")
            if not self._held.shards:
                self._held = _Held()
                return 0
            rows = await self._database.read(self._oldest_unsent)
            if not rows:
                return 0
            crashpoint("relay.read")
            try:
                async with (
                    keeping(self._name, KEEP_SECONDS, self._keep),
                    asyncio.timeout(PUBLISH_SECONDS),
                ):
                    await self._bus.publish([_message(row) for row in rows])
            except TimeoutError as error:
                raise BusError(f"no acknowledgement within {PUBLISH_SECONDS:g} s") from error
            crashpoint("relay.published")
            await self._database.write(lambda conn: self._mark(conn, rows))
            crashpoint("relay.marked")
            _SENT.labels(self._name).inc(len(rows))
            return len(rows)

    async def _keep(self) -> None:
        asked = monotonic()
        shards = await self._database.write(self._lease)
        self._held = _Held(shards, asked + LEASE_SECONDS)

    def _lease(self, conn: Connection) -> tuple[int, ...]:
        """Take or prolong every shard that nobody else holds; returns the shards held."""
        table = self._tables.lease
        now = app_now(conn)
        length = timedelta(seconds=LEASE_SECONDS)
        statement = upsert(conn.dialect.name, table)
        conn.execute(
            statement.on_conflict_do_update(
                index_elements=[table.c.shard],
                set_={"holder": statement.excluded.holder, "until": statement.excluded.until},
                where=or_(
                    table.c.holder == statement.excluded.holder,
                    table.c.until <= now,
                    table.c.until > now + length,  # the clock was set back meanwhile
                ),
            ),
            [
                {"shard": shard, "holder": self._holder, "until": now + length}
                for shard in range(SHARDS)
            ],
        )
        held = conn.execute(select(table.c.shard).where(table.c.holder == self._holder))
        return tuple(sorted(held.scalars()))

    def _oldest_unsent(self, conn: Connection) -> Sequence[Row[Any]]:
        shards = self._held.shards
        query = _unsent(self._tables.outbox, everything=len(shards) >= SHARDS)
        return conn.execute(query, {"shards": shards, "limit": BATCH}).all()

    def _mark(self, conn: Connection, rows: Sequence[Row[Any]]) -> None:
        """Mark ``rows`` as sent. Where another relay did, or they were erased, this one came late."""
        marked = conn.execute(
            _marking(self._tables.outbox),
            {"ids": [row.id for row in rows], "now": app_now(conn)},
        )
        if marked.rowcount < len(rows):
            self._repeat_newest(conn, rows)
        crashpoint("relay.marking")

    def _repeat_newest(self, conn: Connection, rows: Sequence[Row[Any]]) -> None:
        """Send the newest message of the keys of ``rows`` again, where a compacted topic may have got
        ``rows`` behind it: such a topic keeps of each key what came last."""
        table = self._tables.outbox
        published: dict[tuple[str, str], int] = {}
        for row in rows:
            if TOPICS[row.topic].compacted:
                published[row.topic, row.key] = row.version
        for (topic, key), version in sorted(published.items()):
            of_key = (table.c.topic == topic) & (table.c.key == key)
            newest = select(func.max(table.c.version)).where(of_key).scalar_subquery()
            conn.execute(
                table.update()
                .where(of_key, table.c.version == newest, table.c.version > version)
                .values(sent_at=None)
            )

    def _repeat_recent(self, conn: Connection) -> None:
        """The same for one that came late and died before it could say so: who starts in its place sends
        the newest of each key again that was sent lately."""
        table = self._tables.outbox
        newer = table.alias("newer")
        overtaken = (
            exists()
            .where(newer.c.topic == table.c.topic, newer.c.key == table.c.key)
            .where(newer.c.version > table.c.version)
        )
        conn.execute(
            table.update()
            .where(
                table.c.topic.in_(sorted(name for name, it in TOPICS.items() if it.compacted)),
                table.c.sent_at > app_now(conn) - LATELY,
                ~overtaken,
            )
            .values(sent_at=None)
        )

    async def _measure(self) -> None:
        if monotonic() - self._measured < MEASURE_SECONDS:
            return
        self._measured = monotonic()
        count, age = await self._database.read(self.backlog)
        _UNSENT.labels(self._name).set(count)
        _AGE.labels(self._name).set(age)

    def backlog(self, conn: Connection) -> tuple[int, float]:
        """How many rows are unsent, and the age of the oldest in seconds."""
        table = self._tables.outbox
        count = conn.execute(
            select(func.count()).select_from(table).where(table.c.sent_at.is_(None))
        ).scalar_one()
        oldest: datetime | None = conn.execute(
            select(table.c.created_at)
            .where(table.c.sent_at.is_(None))
            .order_by(table.c.id)
            .limit(1)
        ).scalar()
        age = 0.0 if oldest is None else (app_now(conn) - oldest).total_seconds()
        return int(count), max(0.0, age)

    async def _let_go(self) -> None:
        """Leave the shards to others at once."""
        self._held = _Held()
        table = self._tables.lease

        def work(conn: Connection) -> None:
            conn.execute(table.delete().where(table.c.holder == self._holder))

        try:
            await self._database.write(work)
        except Exception as error:
            if not is_transient(error):
                raise
            get_logger(__name__).warning(
                "the relay's shards stay leased until the lease ends", relay=self._name
            )


@cache
def _unsent(table: Table, everything: bool) -> Select[Any]:
    query = select(table.c.id, table.c.topic, table.c.key, table.c.version, table.c.body)
    query = query.where(table.c.sent_at.is_(None))
    if not everything:
        query = query.where(table.c.shard.in_(bindparam("shards", expanding=True)))
    return query.order_by(table.c.id).limit(bindparam("limit", type_=Integer))


@cache
def _marking(table: Table) -> Update:
    return (
        table.update()
        .where(table.c.id.in_(bindparam("ids", expanding=True)), table.c.sent_at.is_(None))
        .values(sent_at=bindparam("now"))
    )


def _message(row: Row[Any]) -> Message:
    if row.body is None:
        return Message(row.topic, row.key, None, tombstone_headers(row.version))
    return Message(row.topic, row.key, row.body.encode(), event_headers(row.version))

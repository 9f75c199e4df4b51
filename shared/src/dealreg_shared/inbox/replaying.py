"""Applies events that were set aside: by itself when what they waited for has come, or by order.

One event per transaction, the lowest version first, under the lock of the key's row. The key is let go
in the transaction that finds nothing left, so an event that arrives meanwhile is either stored in time
to be found, or finds the key free.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, select, update

from dealreg_shared.bus.port import Position
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import Database, app_now
from dealreg_shared.db.faults import is_transient
from dealreg_shared.inbox.applying import Applying, KeyState, NotYet, gap
from dealreg_shared.inbox.received import Received, read
from dealreg_shared.inbox.tables import PARKED, WAITING, InboxTables

WAITING_LIMIT = 1000


class ReplayStopped(Exception):
    """An event that was set aside still cannot be applied. The ones before it were."""

    def __init__(self, version: int, reason: str) -> None:
        super().__init__(f"version {version}: {reason}")
        self.version = version
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Step:
    """What one transaction did: applied an event, or found the key free, or found a hindrance."""

    applied: bool = False
    finished: bool = False
    hindrance: str | None = None
    version: int = 0


def waiting_keys(conn: Connection, applying: Applying) -> list[tuple[str, str, str | None]]:
    """Topic, key and reason of the keys that wait, the longest first."""
    table = applying.tables.key
    rows = conn.execute(
        select(table.c.topic, table.c.key, table.c.reason)
        .where(table.c.consumer == applying.consumer, table.c.status == WAITING)
        .order_by(table.c.since, table.c.topic, table.c.key)
        .limit(WAITING_LIMIT)
    )
    return [(row.topic, row.key, row.reason) for row in rows]


async def replay(database: Database, applying: Applying, topic: str, key: str) -> int:
    """Apply a key's events that stand aside. Returns how many; raises ``ReplayStopped``."""
    applied = 0
    while True:
        applied_one, hindrance = await _try(database, applying, topic, key)
        if hindrance is not None:
            version, status, reason = hindrance
            note = partial(
                _note, applying=applying, topic=topic, key=key, status=status, reason=reason
            )
            await database.write(note)
            raise ReplayStopped(version, reason)
        if not applied_one:
            return applied
        applied += 1


async def resume(
    database: Database, applying: Applying, topic: str, key: str, tries: int
) -> tuple[int, str | None]:
    """Try a waiting key. Returns how many events were applied, and what it still waits for, if so.

    A key whose event fails ``tries`` times for another reason is parked.
    """
    applied, failures = 0, 0
    while True:
        applied_one, hindrance = await _try(database, applying, topic, key)
        if hindrance is None:
            if not applied_one:
                return applied, None
            applied, failures = applied + 1, 0
            continue
        _, status, reason = hindrance
        failures += 1
        if status == WAITING or failures >= tries:
            note = partial(
                _note, applying=applying, topic=topic, key=key, status=status, reason=reason
            )
            await database.write(note)
            return applied, reason if status == WAITING else None


async def _try(
    database: Database, applying: Applying, topic: str, key: str
) -> tuple[bool, tuple[int, str, str] | None]:
    """One event in one transaction: whether one was applied, and (version, status, reason) if not."""
    attempted: list[int] = []

    def work(conn: Connection) -> Step:
        return _advance(conn, applying, topic, key, attempted)

    try:
        step = await database.write(work)
    except NotYet as error:
        return False, (attempted[-1], WAITING, str(error))
    except Exception as error:
        if is_transient(error) or not attempted:
            raise
        return False, (attempted[-1], PARKED, f"{type(error).__name__}: {error}")
    crashpoint("inbox.resume_committed")
    if step.hindrance is not None:
        return False, (step.version, PARKED, step.hindrance)
    return step.applied, None


def _advance(
    conn: Connection, applying: Applying, topic: str, key: str, attempted: list[int]
) -> Step:
    """Apply the next event of the key, or let the key go when none is left."""
    states = applying.lock(conn, [(topic, key)])
    state = states[topic, key]
    _resolve_applied(conn, applying, state)
    row = _next_row(conn, applying, state)
    if row is None:
        state.let_go()
        applying.save(conn, [state])
        crashpoint("inbox.let_go")
        return Step(finished=True)
    hindrance = gap(state, row.version)
    item = read(topic, key, row.body, row.version, Position(topic, row.partition, row.offset))
    hindrance = hindrance or item.unreadable or _other_version(item, row.version)
    if hindrance is not None:
        return Step(hindrance=hindrance, version=row.version)
    attempted.append(row.version)
    applying.effect(conn, item)
    state.applied(row.version, item.event_id)
    applying.save(conn, [state])
    resolve(conn, applying.tables, row.id, "applied")
    crashpoint("inbox.resumed")
    return Step(applied=True)


def resolve(conn: Connection, tables: InboxTables, row_id: int, how: str) -> None:
    """Close one event that stood aside; it stays as a record."""
    conn.execute(
        update(tables.aside)
        .where(tables.aside.c.id == row_id)
        .values(resolved_at=app_now(conn), resolution=how)
    )


def _resolve_applied(conn: Connection, applying: Applying, state: KeyState) -> None:
    table = applying.tables.aside
    conn.execute(
        update(table)
        .where(
            table.c.consumer == applying.consumer,
            table.c.topic == state.topic,
            table.c.key == state.key,
            table.c.resolved_at.is_(None),
            table.c.version <= state.version,
        )
        .values(resolved_at=app_now(conn), resolution="was applied before")
    )


def _next_row(conn: Connection, applying: Applying, state: KeyState) -> Row[Any] | None:
    table = applying.tables.aside
    return conn.execute(
        select(table)
        .where(
            table.c.consumer == applying.consumer,
            table.c.topic == state.topic,
            table.c.key == state.key,
            table.c.resolved_at.is_(None),
            table.c.version.is_not(None),
        )
        .order_by(table.c.version, table.c.id)
        .limit(1)
    ).first()


def _other_version(item: Received, version: int) -> str | None:
    if item.version == version:
        return None
    return f"it is stored as version {version}, but says {item.version}"


def _note(
    conn: Connection, applying: Applying, topic: str, key: str, status: str, reason: str
) -> None:
    """Say why the key stands aside, if it still does. Its turn among the waiting is kept."""
    state = applying.lock(conn, [(topic, key)])[topic, key]
    if state.status is not None and (state.status, state.reason) != (status, reason):
        state.set_aside(status, reason, state.since or app_now(conn))
        applying.save(conn, [state])

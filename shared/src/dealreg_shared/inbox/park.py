"""What a person does about events that were set aside: list, look, mend, drop, replay.

Every change is made under the lock of the key's row and leaves a record: a mended event keeps what it
was, a dropped one the reason. Must not apply anything itself: a replay is the consumer's own code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from dealreg_shared.bus.port import Position
from dealreg_shared.db import Database, app_now
from dealreg_shared.inbox.applying import Applying, KeyState, plain
from dealreg_shared.inbox.received import read
from dealreg_shared.inbox.replaying import resolve
from dealreg_shared.inbox.tables import InboxTables


class ParkedEventUnknown(Exception):
    """No event that stands aside is meant by what was given."""


class MendRefused(Exception):
    """The mended text is not the event that stands in this place."""


class DropRefused(Exception):
    """Only the very event that a key waits for can be dropped."""


@dataclass(frozen=True, slots=True)
class ParkedKey:
    """A key with events that stand aside. ``status`` None: only messages that are no events."""

    consumer: str
    topic: str
    key: str
    status: str | None
    reason: str | None
    since: datetime | None
    applied_version: int
    events: int


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """One message that stands aside. ``original`` is set when it was mended."""

    id: int
    version: int | None
    body: bytes | None
    original: bytes | None
    partition: int
    offset: int
    reason: str | None
    stored_at: datetime


async def list_parked(
    database: Database, tables: InboxTables, consumer: str | None = None
) -> list[ParkedKey]:
    """Every key with something aside, of one consumer or of all; the oldest trouble first."""

    def work(conn: Connection) -> list[ParkedKey]:
        key, aside = tables.key, tables.aside
        of_key = (
            (aside.c.consumer == key.c.consumer)
            & (aside.c.topic == key.c.topic)
            & (aside.c.key == key.c.key)
            & aside.c.resolved_at.is_(None)
        )
        query = (
            select(key, func.count(aside.c.id).label("events"))
            .select_from(key.outerjoin(aside, of_key))
            .where(key.c.status.is_not(None) | aside.c.id.is_not(None))
            .group_by(*key.c)
            .order_by(key.c.since, key.c.consumer, key.c.topic, key.c.key)
        )
        if consumer is not None:
            query = query.where(key.c.consumer == consumer)
        return [
            ParkedKey(
                row.consumer,
                row.topic,
                row.key,
                row.status,
                row.reason,
                row.since,
                row.version,
                row.events,
            )
            for row in conn.execute(query)
        ]

    return await database.read(work)


async def show_parked(
    database: Database, tables: InboxTables, consumer: str, topic: str, key: str
) -> list[ParkedEvent]:
    """The messages of one key that stand aside, in the order in which they will be applied."""
    table = tables.aside

    def work(conn: Connection) -> Sequence[Row[Any]]:
        return conn.execute(
            select(table)
            .where(
                table.c.consumer == consumer,
                table.c.topic == topic,
                table.c.key == key,
                table.c.resolved_at.is_(None),
            )
            .order_by(table.c.version, table.c.id)
        ).all()

    return [
        ParkedEvent(
            row.id,
            row.version,
            row.body,
            row.original,
            row.partition,
            row.offset,
            row.reason,
            row.stored_at,
        )
        for row in await database.read(work)
    ]


async def mend(database: Database, tables: InboxTables, event_id: int, body: bytes) -> int:
    """Replace the text of one message that stands aside; what it was is kept. Returns its version.

    The new text must be an event of the same topic, key and version (a message that said no version
    gets the event's). Raises ``ParkedEventUnknown`` and ``MendRefused``.
    """

    def work(conn: Connection) -> int:
        row = _locked_event(conn, tables, event_id)
        position = Position(row.topic, row.partition, row.offset)
        item = read(row.topic, row.key, body, row.version, position)
        if item.event is None or item.version is None:
            raise MendRefused(f"this is no event for that place: {item.unreadable}")
        if row.version is not None and item.version != row.version:
            raise MendRefused(f"it must keep version {row.version}, not {item.version}")
        original = row.body if row.original is None else row.original
        conn.execute(
            tables.aside.update()
            .where(tables.aside.c.id == event_id)
            .values(body=body, original=original, version=item.version, reason="mended")
        )
        return item.version

    return await database.write(work)


async def drop(
    database: Database,
    tables: InboxTables,
    consumer: str,
    topic: str,
    key: str,
    version: int,
    reason: str,
) -> None:
    """Go on without the event that the key waits for, whether it stands aside or never came.

    Only the next version can be dropped. Nothing is applied: replay afterwards. Raises ``DropRefused``.
    """
    if not reason.strip():
        raise DropRefused("dropping an event needs a reason")
    applying = Applying(tables, consumer)

    def work(conn: Connection) -> None:
        state = applying.lock(conn, [(topic, key)])[topic, key]
        if state.status is None:
            raise DropRefused(f"{consumer} has not set aside {key} of {topic}")
        if version != state.version + 1:
            raise DropRefused(
                f"{key} waits for version {state.version + 1}; only that one can be dropped"
            )
        table = tables.aside
        ids = conn.execute(
            select(table.c.id).where(
                table.c.consumer == consumer,
                table.c.topic == topic,
                table.c.key == key,
                table.c.version == version,
                table.c.resolved_at.is_(None),
            )
        ).scalars()
        for row_id in list(ids) or [_record_of_the_missing(conn, tables, state, consumer, version)]:
            resolve(conn, tables, row_id, f"dropped: {plain(reason)}")
        state.applied(version, None)
        applying.save(conn, [state])

    await database.write(work)


async def discard(database: Database, tables: InboxTables, event_id: int, reason: str) -> None:
    """Close a message that is no event, so that it is listed no more. Raises ``DropRefused``."""
    if not reason.strip():
        raise DropRefused("discarding a message needs a reason")

    def work(conn: Connection) -> None:
        row = _locked_event(conn, tables, event_id)
        if row.version is not None:
            raise DropRefused(f"it is version {row.version} of {row.key}; drop that version")
        resolve(conn, tables, event_id, f"discarded: {plain(reason)}")

    await database.write(work)


def _locked_event(conn: Connection, tables: InboxTables, event_id: int) -> Row[Any]:
    """The message, under its key's lock, still aside."""
    table = tables.aside
    query = select(table).where(table.c.id == event_id, table.c.resolved_at.is_(None))
    row = conn.execute(query).first()
    if row is not None:
        Applying(tables, row.consumer).lock(conn, [(row.topic, row.key)])
        row = conn.execute(query).first()
    if row is None:
        raise ParkedEventUnknown(f"no message {event_id} stands aside")
    return row


def _record_of_the_missing(
    conn: Connection, tables: InboxTables, state: KeyState, consumer: str, version: int
) -> int:
    row_id: int = conn.execute(
        tables.aside.insert().returning(tables.aside.c.id),
        {
            "consumer": consumer,
            "topic": state.topic,
            "key": state.key,
            "version": version,
            "partition": -1,
            "offset": -1,
            "reason": "never came",
            "stored_at": app_now(conn),
        },
    ).scalar_one()
    return row_id

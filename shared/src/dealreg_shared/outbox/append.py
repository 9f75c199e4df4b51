"""Appends events to the outbox, in the transaction that decided them.

The version of a key is taken under a row lock (of ``outbox_key_version``, or of the writer's own row),
and the outbox row is inserted after it, so that within a key the order of ids is the order of versions.
Must not publish anything: the relay does, after the commit.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from zlib import crc32

import orjson
from sqlalchemy import Connection, Table
from sqlalchemy.sql.dml import ReturningInsert

from dealreg_shared.contracts.base import EventData, format_instant
from dealreg_shared.contracts.catalogue import CATALOGUE, TOPICS, encode, event_model
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db.bulk import insert_rows
from dealreg_shared.db.upsert import document, insert_given
from dealreg_shared.ids import new_event_id
from dealreg_shared.outbox.tables import KEY_LENGTH, OutboxTables

SHARDS = 16
"""How many parts the outbox has. A key never changes its part."""

MAX_BODY = 512 * 1024
"""Bytes. Half of what Kafka takes; an event above it would stop all that stand behind it."""


class EventTooLarge(Exception):
    """An event is larger than the bus takes. It must be sent in parts."""


Wire = Mapping[str, Any]
"""An event's data as it travels: what its model would write, for events that are made too often for a
model of each. Tests hold it against the model, as nothing else does."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event as its writer knows it: id, version and time are added on appending."""

    type: str
    key: str
    subject: str
    data: EventData | Wire
    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None


def shard_of(key: str) -> int:
    """The part of the outbox that ``key`` belongs to, the same for ever."""
    return crc32(key.encode()) % SHARDS


class Outbox:
    """Writes events into one service's outbox tables."""

    def __init__(self, tables: OutboxTables, source: str, programme: str) -> None:
        """``source`` is the CloudEvents source, such as ``/dealreg/registration``."""
        self.tables = tables
        self._source = source
        self._programme = programme

    def append(self, conn: Connection, items: Sequence[Outgoing], at: datetime) -> list[Event[Any]]:
        """Append ``items`` in their order, each with the next version of its key.

        Raises KeyError for a type that the catalogue does not have, ``EventTooLarge``, and pydantic's
        ValidationError for data that is not of the type's model.
        """
        if not items:
            return []
        last = self._advance(conn, [(_topic(item), item.key) for item in items])
        versions = _count(((_topic(item), item.key) for item in items), last)
        events = [
            self._event(item, version, at) for item, version in zip(items, versions, strict=True)
        ]
        rows = [
            _row(event.type, event.partitionkey, event.keyversion, encode(event), at)
            for event in events
        ]
        insert_rows(conn, [(self.tables.outbox, rows)])
        crashpoint("outbox.appended")
        return events

    def rows(
        self,
        items: Sequence[Outgoing],
        at: datetime,
        last_versions: Mapping[tuple[str, str], int],
    ) -> list[dict[str, Any]]:
        """The outbox rows of ``items``, for a writer that keeps the versions itself. Pure.

        ``last_versions`` gives the last used version of each (topic, key), 0 or nothing for a new one.
        The caller holds the lock under which it read them and inserts the rows before letting go.
        """
        versions = _count(((_topic(item), item.key) for item in items), last_versions)
        return [
            _row(item.type, item.key, version, self._body(item, version, at), at)
            for item, version in zip(items, versions, strict=True)
        ]

    def erase(self, conn: Connection, topic: str, keys: Sequence[str], at: datetime) -> None:
        """Append a tombstone for each of ``keys``: on a compacted topic, what was known is gone.

        Also from the archive: the keys' earlier rows are deleted, sent or not.
        """
        if not TOPICS[topic].compacted:
            raise ValueError(f"{topic} is not compacted: nothing can be erased from it")
        if not keys:
            return
        last = self._advance(conn, [(topic, key) for key in keys])
        counted = _count(((topic, key) for key in keys), last)
        outbox = self.tables.outbox
        conn.execute(outbox.delete().where(outbox.c.topic == topic, outbox.c.key.in_(keys)))
        rows = [
            _outbox_row(topic, key, version, None, at)
            for key, version in zip(keys, counted, strict=True)
        ]
        insert_rows(conn, [(outbox, rows)])
        crashpoint("outbox.erased")

    def _body(self, item: Outgoing, version: int, at: datetime) -> bytes:
        if isinstance(item.data, EventData):
            return encode(self._event(item, version, at))
        return orjson.dumps(
            {
                "specversion": "1.0",
                "id": new_event_id(),
                "source": self._source,
                "type": item.type,
                "subject": item.subject,
                "time": format_instant(at),
                "datacontenttype": "application/json",
                "programme": self._programme,
                "partitionkey": item.key,
                "keyversion": version,
                "correlationid": item.correlation_id,
                "causationid": item.causation_id,
                "traceparent": item.traceparent,
                "data": item.data,
            }
        )

    def _event(self, item: Outgoing, version: int, at: datetime) -> Event[Any]:
        return event_model(item.type)(
            id=new_event_id(),
            source=self._source,
            type=item.type,
            subject=item.subject,
            time=at,
            programme=self._programme,
            partitionkey=item.key,
            keyversion=version,
            correlationid=item.correlation_id,
            causationid=item.causation_id,
            traceparent=item.traceparent,
            data=item.data,
        )

    def _advance(
        self, conn: Connection, uses: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], int]:
        """Count ``uses`` up per (topic, key); returns the versions before them.

        Keys are locked in sorted order, so that two writers of the same keys cannot deadlock.
        """
        used = Counter(uses)
        rows = [
            {"topic": topic, "key": key, "version": count}
            for (topic, key), count in sorted(used.items())
        ]
        counted = conn.execute(
            _counting(conn.dialect.name, self.tables.key_version), {"rows": document(rows)}
        )
        return {(topic, key): version - used[topic, key] for topic, key, version in counted}


@cache
def _counting(dialect: str, table: Table) -> ReturningInsert[Any]:
    adding = insert_given(dialect, table, ("topic", "key", "version"))
    return adding.on_conflict_do_update(
        index_elements=[table.c.topic, table.c.key],
        set_={"version": table.c.version + adding.excluded.version},
    ).returning(table.c.topic, table.c.key, table.c.version)


def _topic(item: Outgoing) -> str:
    return CATALOGUE[item.type].topic


def _count(
    uses: Iterable[tuple[str, str]], last_versions: Mapping[tuple[str, str], int]
) -> list[int]:
    current: dict[tuple[str, str], int] = {}
    versions = []
    for pair in uses:
        current[pair] = current.get(pair, last_versions.get(pair, 0)) + 1
        versions.append(current[pair])
    return versions


def _row(event_type: str, key: str, version: int, body: bytes, at: datetime) -> dict[str, Any]:
    if len(body) > MAX_BODY:
        raise EventTooLarge(
            f"{event_type} under {key} has {len(body)} bytes; at most {MAX_BODY} travel"
        )
    return _outbox_row(CATALOGUE[event_type].topic, key, version, body.decode(), at)


def _outbox_row(
    topic: str, key: str, version: int, body: str | None, at: datetime
) -> dict[str, Any]:
    if not 0 < len(key) <= KEY_LENGTH:
        raise ValueError(f"a key has 1 to {KEY_LENGTH} characters, not {len(key)}")
    return {
        "shard": shard_of(key),
        "topic": topic,
        "key": key,
        "version": version,
        "body": body,
        "created_at": at,
    }

"""What happens to received events inside one transaction: applied, ignored, or set aside.

The key's row is locked first; its version and the event's effect are written together. Must not commit,
wait or try again: ``consume`` does.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, tuple_

from dealreg_shared.contracts.envelope import Event
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import app_now
from dealreg_shared.db.upsert import insert_new, lock_rows, put_rows
from dealreg_shared.inbox.received import Received, is_compacted
from dealreg_shared.inbox.tables import PARKED, InboxTables
from dealreg_shared.telemetry import get_logger

Handler = Callable[[Connection, Event[Any]], None]
"""Applies one event, in the transaction that also notes it as applied."""

Together = Callable[[Connection, Sequence[Event[Any]]], None]
"""Applies events of one type and of different keys, for types that come by the thousand: what is read
and written for one is read and written for all. If it raises, each is tried by itself."""

Tombstone = Callable[[Connection, str], None]
"""Forgets one key of a compacted topic."""

APPLIED = "applied"
DUPLICATE = "duplicate"
SET_ASIDE = "set aside"


class NotYet(Exception):
    """A handler lacks a fact that another topic will bring. Say which: ``plan 3 has not arrived``."""


@dataclass(slots=True)
class KeyState:
    """A key's row while its transaction lasts."""

    topic: str
    key: str
    version: int
    event_id: str | None
    status: str | None
    reason: str | None
    since: datetime | None
    changed: bool = False
    stored: set[int] = field(default_factory=set)
    """Versions that stand aside already."""

    def set_aside(self, status: str, reason: str, at: datetime) -> None:
        self.status, self.reason, self.since, self.changed = status, plain(reason), at, True

    def let_go(self) -> None:
        self.status = self.reason = self.since = None
        self.changed = True

    def applied(self, version: int, event_id: str | None) -> None:
        self.version, self.event_id, self.changed = version, event_id, True


class Applying:
    """The rules of one consumer; one without handlers sets aside and lets go, and has no effect.

    Holds no state between transactions."""

    def __init__(
        self,
        tables: InboxTables,
        consumer: str,
        handlers: Mapping[str, Handler] | None = None,
        tombstones: Mapping[str, Tombstone] | None = None,
        together: Mapping[str, Together] | None = None,
    ) -> None:
        self.tables = tables
        self.consumer = consumer
        self._handlers = handlers or {}
        self._tombstones = tombstones or {}
        self._together = together or {}

    def apply(self, conn: Connection, received: Sequence[Received]) -> Counter[str]:
        """Apply events, those of a key in the order given; no order holds between keys.

        Raises what a handler raises: then roll back all of it.
        """
        states = self.lock(conn, ((item.topic, item.key) for item in received))
        outcomes: Counter[str] = Counter()
        for turn in _turns(received):
            fit: list[Received] = []
            for item in turn:
                outcome = self._judge(conn, states[item.topic, item.key], item)
                outcomes[outcome] += 1
                if outcome == APPLIED:
                    fit.append(item)
            self._effects(conn, fit)
            for item in fit:
                self._applied(conn, states[item.topic, item.key], item)
        crashpoint("inbox.effect")
        self.save(conn, states.values())
        crashpoint("inbox.applied")
        return outcomes

    def set_aside(self, conn: Connection, item: Received, status: str, reason: str) -> None:
        """Set aside ``item`` and with it its key, unless it was applied or set aside meanwhile."""
        states = self.lock(conn, [(item.topic, item.key)])
        state = states[item.topic, item.key]
        if item.version is not None and item.version <= state.version:
            return
        if state.status is None:
            state.set_aside(status, reason, app_now(conn))
        self._store(conn, state, item, reason)
        self.save(conn, states.values())
        crashpoint("inbox.set_aside")

    def lock(
        self, conn: Connection, pairs: Iterable[tuple[str, str]]
    ) -> dict[tuple[str, str], KeyState]:
        """Lock the rows of these (topic, key), in sorted order; rows that are missing are made."""
        wanted = set(pairs)
        states = self._lock_existing(conn, wanted)
        if missing := wanted - states.keys():
            insert_new(
                conn,
                self.tables.key,
                [
                    {"consumer": self.consumer, "topic": topic, "key": key, "version": 0}
                    for topic, key in sorted(missing)
                ],
            )
            states |= self._lock_existing(conn, missing)
        aside = [pair for pair, state in states.items() if state.status is not None]
        if aside:
            table = self.tables.aside
            rows = conn.execute(
                select(table.c.topic, table.c.key, table.c.version).where(
                    table.c.consumer == self.consumer,
                    tuple_(table.c.topic, table.c.key).in_(aside),
                    table.c.resolved_at.is_(None),
                    table.c.version.is_not(None),
                )
            )
            for row in rows:
                states[row.topic, row.key].stored.add(row.version)
        return states

    def save(self, conn: Connection, states: Iterable[KeyState]) -> None:
        """Write the rows that changed."""
        rows = [
            {
                "consumer": self.consumer,
                "topic": state.topic,
                "key": state.key,
                "version": state.version,
                "event_id": state.event_id,
                "status": state.status,
                "reason": state.reason,
                "since": state.since,
            }
            for state in states
            if state.changed
        ]
        put_rows(conn, self.tables.key, rows)

    def effect(self, conn: Connection, item: Received) -> None:
        """Do what the event asks for. A type without a handler asks for nothing."""
        if item.event is not None:
            handler = self._handlers.get(item.event.type)
            if handler is not None:
                handler(conn, item.event)
            elif item.event.type in self._together:
                self._together[item.event.type](conn, [item.event])
        else:
            tombstone = self._tombstones.get(item.topic)
            if tombstone is not None:
                tombstone(conn, item.key)
            # What stood aside may be the very data that is to be forgotten.
            table = self.tables.aside
            conn.execute(
                table.delete().where(
                    *self._of_key(item.topic, item.key), table.c.version < item.version
                )
            )

    def _effects(self, conn: Connection, items: Sequence[Received]) -> None:
        """The effects of events of different keys."""
        together: dict[str, list[Event[Any]]] = {}
        for item in items:
            if item.event is not None and item.event.type in self._together:
                together.setdefault(item.event.type, []).append(item.event)
            else:
                self.effect(conn, item)
        for type_, events in together.items():
            self._together[type_](conn, events)

    def _applied(self, conn: Connection, state: KeyState, item: Received) -> None:
        assert item.version is not None  # noqa: S101  (else it would not have been applied)
        state.applied(item.version, item.event_id)
        if state.status is not None:
            self._supersede(conn, state)

    def _judge(self, conn: Connection, state: KeyState, item: Received) -> str:
        """What becomes of a message. Sets it aside if need be; does not apply it."""
        if item.version is None:
            # It names no place in its key's order, so it holds up nobody: if it was an event, the
            # next one shows the gap.
            self._store(conn, state, item, item.unreadable or "no version")
            return SET_ASIDE
        if item.version <= state.version:
            self._compare(state, item)
            return DUPLICATE
        if state.status is not None and not is_compacted(state.topic):
            self._store(conn, state, item, None)
            return SET_ASIDE
        reason = item.unreadable or gap(state, item.version)
        if reason is not None:
            state.set_aside(PARKED, reason, app_now(conn))
            self._store(conn, state, item, reason)
            return SET_ASIDE
        return APPLIED

    def _supersede(self, conn: Connection, state: KeyState) -> None:
        """On a compacted topic what stands aside is out of date once something newer was applied."""
        state.let_go()
        table = self.tables.aside
        conn.execute(
            table.update()
            .where(
                *self._of_key(state.topic, state.key),
                table.c.resolved_at.is_(None),
                table.c.version < state.version,
            )
            .values(resolved_at=app_now(conn), resolution="superseded")
        )

    def _of_key(self, topic: str, key: str) -> tuple[ColumnElement[bool], ...]:
        table = self.tables.aside
        return (table.c.consumer == self.consumer, table.c.topic == topic, table.c.key == key)

    def _compare(self, state: KeyState, item: Received) -> None:
        known = state.event_id if item.version == state.version else None
        if known is not None and item.event_id is not None and item.event_id != known:
            get_logger(__name__).error(
                "two events have one version: has the topic two writers?",
                consumer=self.consumer,
                topic=item.topic,
                key=item.key,
                version=item.version,
            )

    def _store(self, conn: Connection, state: KeyState, item: Received, reason: str | None) -> None:
        table = self.tables.aside
        if item.version is not None:
            if item.version in state.stored:
                return
            state.stored.add(item.version)
        elif self._stored_before(conn, item):
            return
        conn.execute(
            table.insert(),
            {
                "consumer": self.consumer,
                "topic": item.topic,
                "key": item.key,
                "version": item.version,
                "body": item.body,
                "partition": item.position.partition,
                "offset": item.position.offset,
                "reason": None if reason is None else plain(reason),
                "stored_at": app_now(conn),
            },
        )

    def _stored_before(self, conn: Connection, item: Received) -> bool:
        table = self.tables.aside
        query = select(table.c.id).where(
            table.c.consumer == self.consumer,
            table.c.topic == item.topic,
            table.c.key == item.key,
            table.c.partition == item.position.partition,
            table.c.offset == item.position.offset,
        )
        return conn.execute(query.limit(1)).first() is not None

    def _lock_existing(
        self, conn: Connection, pairs: Collection[tuple[str, str]]
    ) -> dict[tuple[str, str], KeyState]:
        rows = lock_rows(conn, self.tables.key, ((self.consumer, *pair) for pair in pairs))
        return {
            (row.topic, row.key): KeyState(
                row.topic, row.key, row.version, row.event_id, row.status, row.reason, row.since
            )
            for row in rows
        }


def _turns(received: Sequence[Received]) -> list[list[Received]]:
    """The first message of each key, then the second of each, and so on."""
    turns: list[list[Received]] = []
    before: Counter[tuple[str, str]] = Counter()
    for item in received:
        place = before[item.topic, item.key]
        before[item.topic, item.key] += 1
        if place == len(turns):
            turns.append([])
        turns[place].append(item)
    return turns


def gap(state: KeyState, version: int) -> str | None:
    """Why ``version`` cannot follow what was applied; None if it can."""
    if version == state.version + 1 or is_compacted(state.topic):
        return None
    return f"version {version} came after version {state.version}: what is between is missing"


def plain(reason: str) -> str:
    """A reason as text that both databases take, of a length that a list can show."""
    return reason.replace("\x00", "\\x00")[:2000]

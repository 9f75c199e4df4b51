"""Makes the sums again from the log, while the service may go on running.

The log is read into a file first, outside any transaction. Then one transaction empties the tables and
applies to them exactly the events that the consumers have applied so far (their versions stand in the
inbox, which stays as it is), looks at all markets, and tells only what differs from what was told last.
Whoever reads sees the state before or after, never between.
"""

import struct
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import IO

from sqlalchemy import Connection, select

from dealreg_coverage import store
from dealreg_coverage.consumers import PROJECTIONS, group
from dealreg_coverage.handlers.assess import assess_all
from dealreg_coverage.handlers.desk import Cause, Desk
from dealreg_coverage.tables import FROM_THE_LOG, INBOX
from dealreg_shared.bus.port import Bus, Position
from dealreg_shared.db import Database, app_now
from dealreg_shared.inbox.received import Received, read, receive

GROUP = "coverage-rebuild"

_BATCH = 1000
_WAIT_SECONDS = 1.0
_HEADER = struct.Struct(">qII")  # version, lengths of key and body


class LogIncomplete(Exception):
    """The log does not hold what was applied from it, so nothing was changed."""


async def rebuild(database: Database, bus: Bus, desk: Desk) -> int:
    """Returns how many events were applied. Raises ``LogIncomplete``; then nothing has changed."""
    with ExitStack() as stack:
        logs = {topic: stack.enter_context(tempfile.TemporaryFile()) for topic in PROJECTIONS}
        for topic, log in logs.items():
            await _read_log(bus, topic, log)
        return await database.write(lambda conn: _apply(conn, desk, logs))


async def _read_log(bus: Bus, topic: str, log: IO[bytes]) -> None:
    """Append all messages of a topic to a file, in log order."""
    async with bus.subscribe(f"{GROUP}-{topic.removeprefix('dealreg.')}", [topic]) as subscription:
        await subscription.seek_to_beginning()
        last: dict[int, Position] = {}
        while await subscription.lag():
            for delivery in await subscription.fetch(_BATCH, _WAIT_SECONDS):
                _write(log, receive(delivery))
                last[delivery.position.partition] = delivery.position
            await subscription.commit(list(last.values()))


def _apply(conn: Connection, desk: Desk, logs: Mapping[str, IO[bytes]]) -> int:
    store.one_writer(conn)
    for table in FROM_THE_LOG:
        conn.execute(table.delete())
    applied = 0
    for topic, log in logs.items():
        again = _Topic(conn, replace(desk, quiet=True), topic)
        for item in _messages(topic, log):
            again.take(item)
        again.finish()
        applied += again.applied
    assess_all(conn, desk, app_now(conn), Cause.by_itself("made again from the log"))
    return applied


class _Topic:
    """Applies a topic's events once more: those that were applied, each once, in order per key.

    An event that had been set aside counts as what became of it: mended by hand, perhaps, or dropped.
    """

    def __init__(self, conn: Connection, desk: Desk, topic: str) -> None:
        self.applied = 0
        self._conn = conn
        self._desk = desk
        self._topic = topic
        self._wanted = _applied_versions(conn, topic)
        self._handled = _handled(conn, topic)
        self._done: dict[str, int] = {}

    def take(self, item: Received) -> None:
        self._catch_up(item.key)
        following = self._done.get(item.key, 0) + 1
        if item.version == following <= self._wanted.get(item.key, 0):
            self._apply(item)

    def finish(self) -> None:
        """Raises ``LogIncomplete`` if something that was applied is missing."""
        for key in sorted(self._wanted):
            self._catch_up(key)
        missing = [key for key, last in self._wanted.items() if self._done.get(key, 0) < last]
        if missing:
            first = min(missing)
            raise LogIncomplete(
                f"{self._topic}: {len(missing)} key(s) lack events in the log; of {first} it has "
                f"{self._done.get(first, 0)}, but {self._wanted[first]} were applied"
            )

    def _catch_up(self, key: str) -> None:
        """Do what follows in the key's order and had been set aside."""
        while True:
            version = self._done.get(key, 0) + 1
            if (key, version) not in self._handled:
                return
            body = self._handled[key, version]
            if body is None:
                self._done[key] = version
            else:
                self._apply(read(self._topic, key, body, version, Position(self._topic, 0, 0)))

    def _apply(self, item: Received) -> None:
        if item.event is None:
            raise LogIncomplete(f"{self._topic}: {item.key}, {item.version}: {item.unreadable}")
        self._done[item.key] = item.event.keyversion
        handler = PROJECTIONS[self._topic].get(item.event.type)
        if handler is not None:
            handler(self._desk, self._conn, item.event)
            self.applied += 1


def _applied_versions(conn: Connection, topic: str) -> dict[str, int]:
    rows = conn.execute(
        select(INBOX.key.c.key, INBOX.key.c.version).where(
            INBOX.key.c.consumer == group(topic), INBOX.key.c.topic == topic
        )
    )
    return {key: int(version) for key, version in rows}


def _handled(conn: Connection, topic: str) -> dict[tuple[str, int], bytes | None]:
    """Events that were set aside and settled since: what was applied in the end, perhaps mended by
    hand, or None if nothing was."""
    aside = INBOX.aside
    rows = conn.execute(
        select(aside.c.key, aside.c.version, aside.c.body, aside.c.resolution).where(
            aside.c.consumer == group(topic),
            aside.c.topic == topic,
            aside.c.resolved_at.is_not(None),
            aside.c.version.is_not(None),
            aside.c.resolution != "was applied before",
        )
    )
    return {
        (key, int(version)): body if resolution == "applied" else None
        for key, version, body, resolution in rows
    }


def _messages(topic: str, log: IO[bytes]) -> Iterator[Received]:
    log.seek(0)
    while header := log.read(_HEADER.size):
        version, key_length, length = _HEADER.unpack(header)
        key = log.read(key_length).decode()
        yield read(topic, key, log.read(length), version, Position(topic, 0, 0))


def _write(log: IO[bytes], item: Received) -> None:
    if item.version is None:  # it has no place in its key's order, and was never applied
        return
    key, body = item.key.encode(), item.body or b""
    log.write(_HEADER.pack(item.version, len(key), len(body)))
    log.write(key + body)

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
        while await subscription.lag():
            deliveries = await subscription.fetch(_BATCH, _WAIT_SECONDS)
            for delivery in deliveries:
                _write(log, receive(delivery))
            last = {delivery.position.partition: delivery.position for delivery in deliveries}
            await subscription.commit(list(last.values()))


def _apply(conn: Connection, desk: Desk, logs: Mapping[str, IO[bytes]]) -> int:
    store.one_writer(conn)
    quiet = replace(desk, quiet=True)
    for table in FROM_THE_LOG:
        conn.execute(table.delete())
    applied = 0
    for topic, log in logs.items():
        wanted = _applied_versions(conn, topic)
        done: dict[str, int] = {}
        for item in _events(conn, topic, log):
            following = done.get(item.key, 0) + 1
            if item.version != following or following > wanted.get(item.key, 0):
                continue
            if item.unreadable is not None:
                raise LogIncomplete(
                    f"{topic}: version {following} of {item.key}: {item.unreadable}"
                )
            done[item.key] = following
            handler = PROJECTIONS[topic].get(item.event.type) if item.event is not None else None
            if handler is not None and item.event is not None:
                handler(quiet, conn, item.event)
                applied += 1
        _complete(topic, wanted, done)
    assess_all(conn, desk, app_now(conn), Cause.by_itself("made again from the log"))
    return applied


def _complete(topic: str, wanted: dict[str, int], done: dict[str, int]) -> None:
    missing = sorted(key for key, version in wanted.items() if done.get(key, 0) < version)
    if missing:
        first = missing[0]
        raise LogIncomplete(
            f"{topic}: {len(missing)} key(s) lack events in the log; of {first} it has "
            f"{done.get(first, 0)}, but {wanted[first]} were applied"
        )


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


def _events(conn: Connection, topic: str, log: IO[bytes]) -> Iterator[Received]:
    """What a log holds, with what was mended since in its place."""
    handled = _handled(conn, topic)
    nowhere = Position(topic, 0, 0)
    log.seek(0)
    while header := log.read(_HEADER.size):
        version, key_length, length = _HEADER.unpack(header)
        key = log.read(key_length).decode()
        body = handled.get((key, version), log.read(length))
        if body is None:
            yield Received(topic, key, version, None, None, None, nowhere)
        else:
            yield read(topic, key, body, version, nowhere)


def _write(log: IO[bytes], item: Received) -> None:
    if item.version is None:  # it has no place in its key's order, and was never applied
        return
    key, body = item.key.encode(), item.body or b""
    log.write(_HEADER.pack(item.version, len(key), len(body)))
    log.write(key + body)

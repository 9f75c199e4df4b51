"""What the log knows: of each key the last version, and check sums of the latest events.

One more consumer group, which opens no event. It keeps what it read in a file of its own,
``auditor.db``, made again from the beginning of the log when it is missing. What a log
that was cut off or made anew has lost, ``log_losses`` finds. Two things are written down for good,
because the next reading would not show them: a gap in a key's versions, and two events under one
version (which is what a database does that was restored from an old backup and goes on).
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from zlib import crc32

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from dealreg.auditor import log_losses
from dealreg.auditor.log_tables import accepted, log_begun, log_fault, log_key
from dealreg_shared.auditing import MOST, SLICE, Finding
from dealreg_shared.bus.headers import key_version
from dealreg_shared.bus.port import Bus, BusError, Delivery, Position, Subscription
from dealreg_shared.contracts.catalogue import TOPICS
from dealreg_shared.db import Database
from dealreg_shared.db.upsert import insert_new
from dealreg_shared.telemetry import get_logger
from dealreg_shared.turns import Turns

GROUP = "auditor"
BATCH = 500
FETCH_SECONDS = 1.0
MEASURE_SECONDS = 5.0
RECENT_SECONDS = 20.0
MISSING_SECONDS = 30.0
"""A partition that was read and is not given to the only member of the group for so long is gone."""
SUMS = 32
"""Check sums kept per key: an hour rarely brings more events of one account."""


@dataclass(slots=True)
class _Key:
    version: int = 0
    sums: bytes = b""


class LogBook:
    """A ``runtime.Flow``. ``database`` is its own file."""

    def __init__(self, database: Database, bus: Bus, now: Callable[[], datetime]) -> None:
        self.turns = Turns()
        self._database = database
        self._bus = bus
        self._now = now
        self._caught_up: float | None = None
        self._measured = 0.0
        self._compared = 0.0
        self._missing_since: float | None = None
        self._begun = False

    @property
    def name(self) -> str:
        return "auditor-log"

    def behind(self) -> float | None:
        """Seconds since it last knew all that the log knew; None: it never did since it started."""
        return None if self._caught_up is None else monotonic() - self._caught_up

    async def recall(self) -> None:
        """Take the file's word for what the log knows, if an auditor that runs has just read it all."""
        at = await self._database.read(
            lambda conn: conn.execute(select(log_begun.c.current_at)).scalar()
        )
        if at is not None and abs((self._now() - at).total_seconds()) < RECENT_SECONDS:
            self._caught_up = monotonic()

    async def drain(self) -> int:
        """Read to the end of the log. Returns how many messages that were."""
        total = 0
        async with self._bus.subscribe(GROUP, list(TOPICS)) as subscription:
            self._compared = 0.0
            while True:
                total += await self._step(subscription, 0.0)
                if await self._measure(subscription):
                    return total

    async def run(self) -> None:
        """Read until cancelled. Outlives a bus that is away."""
        while True:
            try:
                async with self._bus.subscribe(GROUP, list(TOPICS)) as subscription:
                    self._compared = 0.0
                    while True:
                        moved = await self._step(subscription, FETCH_SECONDS)
                        if not moved or monotonic() - self._measured > MEASURE_SECONDS:
                            await self._measure(subscription)
            except BusError as error:
                get_logger(__name__).warning("the log book will join again", error=repr(error))
                self.turns()
                await asyncio.sleep(1.0)

    async def versions(self, topic: str, keys: Sequence[str]) -> dict[str, int]:
        """Key -> the last version that the log knows; keys that it does not know are missing."""
        rows = await self._database.read(
            lambda conn: conn.execute(
                select(log_key.c.key, log_key.c.version).where(
                    log_key.c.topic == topic, log_key.c.key.in_(keys)
                )
            ).all()
        )
        return {row.key: row.version for row in rows}

    async def after(self, topic: str, after: str) -> dict[str, int]:
        """The next keys of a topic with their versions, at most ``SLICE``."""
        rows = await self._database.read(
            lambda conn: conn.execute(
                select(log_key.c.key, log_key.c.version)
                .where(log_key.c.topic == topic, log_key.c.key > after)
                .order_by(log_key.c.key)
                .limit(SLICE)
            ).all()
        )
        return {row.key: row.version for row in rows}

    async def faults(self) -> list[Finding]:
        """The gaps and the double versions that the log was seen to hold."""
        rows = await self._database.read(
            lambda conn: conn.execute(select(log_fault).order_by(log_fault.c.id).limit(MOST)).all()
        )
        return [Finding(row.sentence, (row.key, row.topic), row.found_at) for row in rows]

    async def losses(self) -> list[Finding]:
        """What the log held, and holds no more."""
        current = self._caught_up is not None
        return await self._database.read(lambda conn: log_losses.found(conn, current=current))

    async def accepted(self) -> set[tuple[str, str]]:
        """(check, first id) of findings that a person has accepted."""
        rows = await self._database.read(lambda conn: conn.execute(select(accepted)).all())
        return {(row.check_name, row.about) for row in rows}

    async def _step(self, subscription: Subscription, wait: float) -> int:
        deliveries = await subscription.fetch(BATCH, wait)
        self.turns()
        if not self._begun:
            self._begun = await self._database.read(_has_begun)
        if not self._begun:  # what was fetched comes again, from the first message on
            self._begun = await self._begin(subscription)
            return 0
        if not deliveries:
            return 0
        now = self._now()
        again = await self._database.read(lambda conn: log_losses.comes_again(conn, deliveries))
        if again:
            await self._read_again(subscription, dict.fromkeys(TOPICS))
            return 0
        await self._database.write(lambda conn: _take(conn, deliveries, now))
        await subscription.commit(_last(deliveries))
        return len(deliveries)

    async def _read_again(
        self, subscription: Subscription, topics: Mapping[str, str | None]
    ) -> None:
        """From the first message on, to see whether all that was there comes. In this order: who is
        killed in between finds the same again."""
        await subscription.seek_to_beginning()
        self._caught_up = None
        now = self._now()
        await self._database.write(lambda conn: log_losses.remember(conn, topics, now))

    async def _whole(self, subscription: Subscription) -> bool:
        """Whether the log still holds the places up to which it was read."""
        if monotonic() - self._compared < MEASURE_SECONDS and self._missing_since is None:
            return True
        extents = await subscription.extents()
        places = await self._database.read(log_losses.places)
        missing = places.keys() - extents.keys()
        since = self._missing_since or monotonic()
        self._missing_since = since if missing else None
        gone = monotonic() - since > MISSING_SECONDS
        if missing and not gone:
            return False  # partitions come some fetches after joining
        lost = log_losses.lost(places, extents)
        if lost:
            get_logger(__name__).error("the log has lost messages", topics=sorted(lost))
            await self._read_again(subscription, lost)
            self._missing_since = None
            return False
        await self._database.write(lambda conn: log_losses.note(conn, extents))
        self._compared = monotonic()
        return True

    async def _begin(self, subscription: Subscription) -> bool:
        """A new file starts at the beginning of the log, wherever the group stood."""
        try:
            await subscription.seek_to_beginning()
        except BusError:  # on Kafka the partitions come some fetches later
            return False
        await self._database.write(lambda conn: conn.execute(log_begun.insert(), {"id": 1}))
        return True

    async def _measure(self, subscription: Subscription) -> bool:
        """Whether all of the log is known now; noted, so that others may rely on it."""
        if not self._begun or not await self._whole(subscription):
            return False
        if await subscription.lag():
            return False
        self._caught_up = monotonic()
        if self._caught_up - self._measured > MEASURE_SECONDS:
            self._measured = self._caught_up
            now = self._now()
            await self._database.write(lambda conn: _current(conn, now))
        return True


def _current(conn: Connection, now: datetime) -> None:
    conn.execute(log_begun.update().values(current_at=now))
    log_losses.forget_healed(conn)


def _has_begun(conn: Connection) -> bool:
    return conn.execute(select(log_begun.c.id)).first() is not None


def _take(conn: Connection, deliveries: Sequence[Delivery], now: datetime) -> None:
    known: dict[tuple[str, str], _Key] = {}
    faults = []
    log_losses.came(conn, deliveries)
    for delivery in deliveries:
        message = delivery.message
        version = key_version(message.headers)
        if version is None:
            continue  # it names no place in its key's order; consumers set it aside
        place = (message.topic, message.key)
        key = known.get(place) or _known(conn, *place)
        known[place] = key
        kind = _enter(key, version, crc32(message.value or b""), TOPICS[message.topic].compacted)
        if kind is not None:
            faults.append((*place, version, kind))
    for (topic, name), key in known.items():
        conn.execute(
            insert(log_key)
            .values(topic=topic, key=name, version=key.version, sums=key.sums)
            .on_conflict_do_update(
                index_elements=[log_key.c.topic, log_key.c.key],
                set_={"version": key.version, "sums": key.sums},
            )
        )
    for topic, name, version, kind in faults:
        words = {
            "gap": f"The log goes to version {version} of {name} on {topic}, but one before is missing.",
            "double": f"The log holds two different events as version {version} of {name} on {topic}.",
        }
        fault = {"topic": topic, "key": name, "version": version, "kind": kind}
        insert_new(conn, log_fault, [fault | {"sentence": words[kind], "found_at": now}])


def _known(conn: Connection, topic: str, key: str) -> _Key:
    row = conn.execute(
        select(log_key.c.version, log_key.c.sums).where(
            log_key.c.topic == topic, log_key.c.key == key
        )
    ).first()
    return _Key() if row is None else _Key(row.version, row.sums)


def _enter(key: _Key, version: int, total: int, compacted: bool) -> str | None:
    """Note an event. Returns ``gap`` or ``double`` if it does not fit what was read before."""
    four = total.to_bytes(4, "big")
    if version > key.version:
        gap = version != key.version + 1
        key.sums = four if gap else (key.sums + four)[-4 * SUMS :]
        key.version = version
        return "gap" if gap and not compacted else None
    back = 4 * (key.version - version + 1)
    if back > len(key.sums):
        return None
    place = len(key.sums) - back
    return None if key.sums[place : place + 4] == four else "double"


def _last(deliveries: Iterable[Delivery]) -> list[Position]:
    last: dict[tuple[str, int], Position] = {}
    for delivery in deliveries:
        last[delivery.position.topic, delivery.position.partition] = delivery.position
    return list(last.values())

"""The consumer loop: fetch, apply in one transaction, commit the position, again.

A batch in which a handler raises is rolled back and run again one event per transaction. The database's
trouble is waited for, however long it lasts; an event that waits for a fact of another topic is set
aside with its key and tried again by itself; an event that fails ``TRIES`` times parks its key, and
later events of that key queue behind it while all other keys go on. Must not know any event type.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import monotonic
from typing import TypeVar

from sqlalchemy import Connection, func, select

from dealreg_shared.bus.port import Bus, BusError, Delivery, Position, Subscription
from dealreg_shared.contracts.catalogue import CATALOGUE, topic_of
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import Database
from dealreg_shared.db.faults import is_transient
from dealreg_shared.inbox import replaying
from dealreg_shared.inbox.applying import Applying, Handler, NotYet, Together, Tombstone
from dealreg_shared.inbox.received import Received, is_compacted, receive
from dealreg_shared.inbox.tables import PARKED, WAITING, InboxTables
from dealreg_shared.telemetry import get_logger, metrics
from dealreg_shared.turns import Turns

T = TypeVar("T")

BATCH = 200
TRIES = 5
FETCH_SECONDS = 1.0
RETRY_SECONDS = 0.2
LONGEST_PAUSE = 5.0
MEASURE_SECONDS = 5.0
DRAIN_PATIENCE = 15.0
"""How long ``drain`` waits for messages that the log has but does not deliver."""

_EVENTS = metrics.counter(
    "dealreg_inbox_events", "Messages by what became of them.", "consumer", "outcome"
)
_ASIDE = metrics.gauge("dealreg_inbox_keys_aside", "Keys set aside.", "consumer", "status")
_LAG = metrics.gauge("dealreg_inbox_lag", "Messages not committed as done yet.", "consumer")


class Consumer:
    """A ``runtime.Flow`` that applies the events of ``topics`` under the name ``group``."""

    def __init__(
        self,
        database: Database,
        tables: InboxTables,
        bus: Bus,
        group: str,
        topics: Sequence[str],
        handlers: Mapping[str, Handler],
        tombstones: Mapping[str, Tombstone] | None = None,
        *,
        together: Mapping[str, Together] | None = None,
        tries: int = TRIES,
    ) -> None:
        """``together``: handlers of types that are applied many at once, instead of one by one.

        Raises ValueError for a handler or tombstone that can never be called.
        """
        self.group = group
        self.topics = tuple(topics)
        self.turns = Turns()
        self._database = database
        self._bus = bus
        self._applying = Applying(tables, group, handlers, tombstones, together)
        self._tries = tries
        self._one_at_a_time = asyncio.Lock()
        self._may_wait = True
        self._rewind: bool | None = None
        self._measured = 0.0
        for name in (*handlers, *(together or {})):
            if name not in CATALOGUE or topic_of(name) not in self.topics:
                raise ValueError(f"{group}: no topic of {list(topics)} brings {name}")
        for topic in tombstones or {}:
            if topic not in self.topics or not is_compacted(topic):
                raise ValueError(f"{group}: {topic} brings no tombstones")

    @property
    def name(self) -> str:
        return f"consumer-{self.group}"

    @property
    def tables(self) -> InboxTables:
        return self._applying.tables

    async def drain(self) -> int:
        """Apply what the log holds now; returns how many messages were dealt with.

        Events that wait for a fact which did not come stay set aside. Raises the database's trouble,
        and ``BusError`` when the log holds messages that it does not deliver.
        """
        self.turns()
        total = 0
        patience = monotonic() + DRAIN_PATIENCE
        async with self._bus.subscribe(self.group, self.topics) as subscription:
            while True:
                deliveries = await subscription.fetch(BATCH, 0)
                moved = await self._process(subscription, deliveries)
                if not deliveries:
                    moved += await self._resume_waiting()
                total += moved
                if moved or deliveries:
                    patience = monotonic() + DRAIN_PATIENCE
                elif await subscription.lag() == 0:
                    return total
                elif monotonic() > patience:
                    raise BusError(f"{self.group}: the log holds messages that do not come")
                else:
                    await asyncio.sleep(RETRY_SECONDS / 4)

    async def run(self) -> None:
        """Apply until cancelled. Outlives a bus and a database that are away."""
        while True:
            try:
                async with self._bus.subscribe(self.group, self.topics) as subscription:
                    while True:
                        await self._step(subscription)
            except BusError as error:
                get_logger(__name__).warning(
                    "consumer will join again", consumer=self.group, error=repr(error)
                )
                self.turns()
                await asyncio.sleep(1.0)

    async def rebuild(self, clear: Callable[[Connection], object]) -> None:
        """Forget all that was applied, and start again from the first message of the log.

        ``clear`` empties what the handlers have made; it runs in the transaction that empties this
        consumer's inbox, events set aside included. The messages come when the consumer runs or drains
        next, even after a crash in between. No other process may run this consumer meanwhile.
        """
        async with self._one_at_a_time:
            await self._database.write(lambda conn: self._forget(conn, clear))
            self._rewind = True

    async def replay(self, topic: str, key: str) -> int:
        """Apply the events of a key that was set aside, in order, then let it go on.

        Returns how many were applied. Raises ``ReplayStopped`` at the first that still cannot be.
        """
        async with self._one_at_a_time:
            return await replaying.replay(self._database, self._applying, topic, key)

    async def _step(self, subscription: Subscription) -> None:
        wait = RETRY_SECONDS if self._may_wait else FETCH_SECONDS
        deliveries = await subscription.fetch(BATCH, wait)
        self.turns()
        await self._patiently(lambda: self._process(subscription, deliveries))
        self.turns()
        await self._patiently(self._resume_waiting)
        if monotonic() - self._measured >= MEASURE_SECONDS:
            self._measured = monotonic()
            _LAG.labels(self.group).set(await subscription.lag())
            await self._patiently(self._measure)

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do ``work``, again and again while the database is in trouble."""
        pause = 0.0
        while True:
            try:
                return await work()
            except BusError:
                raise
            except Exception as error:
                if not is_transient(error):
                    raise
                pause = min(LONGEST_PAUSE, max(RETRY_SECONDS, 2 * pause))
                get_logger(__name__).warning(
                    "consumer will try again",
                    consumer=self.group,
                    error=repr(error),
                    seconds=pause,
                )
            await asyncio.sleep(pause)

    async def _process(self, subscription: Subscription, deliveries: Sequence[Delivery]) -> int:
        """Deal with what was fetched and commit the position. Returns how many messages that were."""
        async with self._one_at_a_time:
            if self._rewind is None:
                self._rewind = await self._database.read(self._rewind_asked)
            if self._rewind:
                await subscription.seek_to_beginning()
                await self._database.write(self._rewound)
                crashpoint("inbox.rewound")
                self._rewind = False
                return 0
            if not deliveries:
                return 0
            crashpoint("inbox.fetched")
            received = [receive(delivery) for delivery in deliveries]
            try:
                outcomes = await self._database.write(
                    lambda conn: self._applying.apply(conn, received)
                )
            except Exception as error:
                if is_transient(error):
                    raise
                for item in received:
                    await self._alone(item)
            else:
                for outcome, count in outcomes.items():
                    _EVENTS.labels(self.group, outcome).inc(count)
            crashpoint("inbox.committed")
            await subscription.commit(_last_of_each_partition(deliveries))
            crashpoint("inbox.position_committed")
            return len(deliveries)

    async def _alone(self, item: Received) -> None:
        """Apply one event in a transaction of its own, or set it aside."""
        self.turns()
        pause = RETRY_SECONDS / 4
        for attempt in range(1, self._tries + 1):
            try:
                outcomes = await self._database.write(
                    lambda conn: self._applying.apply(conn, [item])
                )
            except NotYet as error:
                await self._set_aside(item, WAITING, str(error))
                self._may_wait = True
                return
            except Exception as error:
                if is_transient(error):
                    raise
                get_logger(__name__).warning(
                    "an event could not be applied",
                    consumer=self.group,
                    topic=item.topic,
                    key=item.key,
                    version=item.version,
                    attempt=attempt,
                    exc_info=error,
                )
                reason = f"{type(error).__name__}: {error}"
            else:
                crashpoint("inbox.alone_committed")
                for outcome in outcomes:
                    _EVENTS.labels(self.group, outcome).inc()
                return
            if attempt < self._tries:
                await asyncio.sleep(pause)
                pause *= 2
        await self._set_aside(item, PARKED, reason)
        get_logger(__name__).error(
            "a key is parked",
            consumer=self.group,
            topic=item.topic,
            key=item.key,
            version=item.version,
            reason=reason,
        )

    async def _set_aside(self, item: Received, status: str, reason: str) -> None:
        await self._database.write(
            lambda conn: self._applying.set_aside(conn, item, status, reason)
        )
        crashpoint("inbox.set_aside_committed")
        _EVENTS.labels(self.group, status).inc()

    async def _resume_waiting(self) -> int:
        """Try the keys that wait. Of those that wait for the same thing, stop at the first in vain."""
        if not self._may_wait:
            return 0
        async with self._one_at_a_time:
            waiting = await self._database.read(
                lambda conn: replaying.waiting_keys(conn, self._applying)
            )
            self._may_wait = bool(waiting)
            total = 0
            in_vain: set[str | None] = set()
            for topic, key, reason in waiting:
                if reason in in_vain:
                    continue
                applied, still = await replaying.resume(
                    self._database, self._applying, topic, key, self._tries
                )
                total += applied
                if still is not None:
                    in_vain |= {reason, still}
            return total

    async def _measure(self) -> None:
        table = self.tables.key

        def count(conn: Connection) -> dict[str, int]:
            rows = conn.execute(
                select(table.c.status, func.count())
                .where(table.c.consumer == self.group, table.c.status.is_not(None))
                .group_by(table.c.status)
            )
            return {row[0]: row[1] for row in rows}

        counts = await self._database.read(count)
        for status in (PARKED, WAITING):
            _ASIDE.labels(self.group, status).set(counts.get(status, 0))
        # Also keys that another process of this service has set aside, which may be gone by now.
        self._may_wait = self._may_wait or WAITING in counts

    def _forget(self, conn: Connection, clear: Callable[[Connection], object]) -> None:
        clear(conn)
        for table in (self.tables.key, self.tables.aside, self.tables.consumer):
            conn.execute(table.delete().where(table.c.consumer == self.group))
        conn.execute(self.tables.consumer.insert(), {"consumer": self.group, "rewind": True})

    def _rewind_asked(self, conn: Connection) -> bool:
        table = self.tables.consumer
        return bool(
            conn.execute(select(table.c.rewind).where(table.c.consumer == self.group)).scalar()
        )

    def _rewound(self, conn: Connection) -> None:
        table = self.tables.consumer
        conn.execute(table.update().where(table.c.consumer == self.group).values(rewind=False))


def _last_of_each_partition(deliveries: Sequence[Delivery]) -> list[Position]:
    last: dict[tuple[str, int], Position] = {}
    for delivery in deliveries:
        position = delivery.position
        last[position.topic, position.partition] = position
    return list(last.values())

"""A member of a Kafka consumer group.

It commits positions itself, after the effect, and believes facts only: a silence is a fault when the log
holds more than came. See the package for how calls are bounded.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import IllegalStateError
from aiokafka.structs import ConsumerRecord, OffsetAndMetadata, TopicPartition

from dealreg_shared.bounded import bounded
from dealreg_shared.bus.kafka import limits
from dealreg_shared.bus.port import BusError, Delivery, Message, Position
from dealreg_shared.bus.stuck import BusStuck, ends, let_go, within
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.telemetry import get_logger

T = TypeVar("T")


class KafkaSubscription:
    """A ``bus.port.Subscription``."""

    def __init__(
        self,
        bootstrap: str,
        *,
        group: str,
        topics: Sequence[str],
        prefix: str,
        session_seconds: float,
        watch_seconds: float,
        healthy: Callable[[], Awaitable[bool]],
    ) -> None:
        self._healthy = healthy
        self._group = group
        self._prefix = prefix
        self._watch_seconds = watch_seconds
        self._silent = 0.0
        self._done: dict[TopicPartition, int] = {}
        self._given: dict[TopicPartition, int] = {}
        self._consumer = AIOKafkaConsumer(
            *(prefix + topic for topic in topics),
            bootstrap_servers=bootstrap,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=int(session_seconds * 1000),
            heartbeat_interval_ms=int(session_seconds * 1000 / 4),
            rebalance_timeout_ms=60_000,
            max_poll_interval_ms=300_000,
            request_timeout_ms=int(limits.CALL * 1000),
        )

    @asynccontextmanager
    async def joined(self) -> AsyncIterator[None]:
        """In the group while the context lasts. Raises ``BusError``; ``BusStuck`` if it cannot leave."""
        try:
            await self._call(self._consumer.start(), limits.START)
            yield
        except (asyncio.CancelledError, GeneratorExit):
            if not await within(limits.STOP, self._consumer.stop()):
                get_logger(__name__).error("a Kafka consumer did not stop", group=self._group)
            raise
        except BaseException:
            await self._leave()
            raise
        await self._leave()

    async def fetch(self, limit: int, wait: float) -> Sequence[Delivery]:
        """Raises ``BusStuck`` when messages have waited too long without any coming."""
        fetching = self._consumer.getmany(timeout_ms=int(wait * 1000), max_records=limit)
        fetched = await self._call(fetching, wait + limits.CALL)
        deliveries = [self._delivery(record) for records in fetched.values() for record in records]
        for place, records in fetched.items():
            if records:
                self._given[place] = records[-1].offset + 1
        if deliveries:
            self._silent = 0.0
        else:
            await self._watch(wait)
        return deliveries

    async def commit(self, positions: Sequence[Position]) -> None:
        mine = self._consumer.assignment()
        done: dict[TopicPartition, int] = {}
        for position in positions:
            place = TopicPartition(self._prefix + position.topic, position.partition)
            if place in mine:
                done[place] = max(position.offset + 1, done.get(place, 0))
        if not done:
            return
        offsets = {place: OffsetAndMetadata(offset, "") for place, offset in done.items()}
        try:
            await bounded(limits.CALL, self._consumer.commit(offsets))
        except (*limits.FAILURES, IllegalStateError) as error:
            get_logger(__name__).info(
                "a position was not committed; its messages come again",
                group=self._group,
                error=repr(error),
            )
        else:
            crashpoint("kafka.position_committed")
            self._done |= done

    async def seek_to_beginning(self) -> None:
        """The group's committed position of this member's partitions is the beginning from now on."""
        mine = sorted(self._consumer.assignment())
        if not mine:
            raise BusError(f"{self._group}: this member has no partition; stop the other members")
        first = await self._call(self._consumer.beginning_offsets(mine))
        offsets = {place: OffsetAndMetadata(offset, "") for place, offset in first.items()}
        await self._call(self._consumer.commit(offsets))
        for place, offset in first.items():
            self._consumer.seek(place, offset)
        self._done, self._given = dict(first), {}

    async def lag(self) -> int:
        mine = sorted(self._consumer.assignment())
        if not mine:
            return 0
        ends = await self._call(self._consumer.end_offsets(mine))
        return sum([max(0, ends[place] - await self._done_of(place)) for place in mine])

    async def extents(self) -> Mapping[tuple[str, int], tuple[int, int]]:
        mine = sorted(self._consumer.assignment())
        if not mine:
            return {}
        first = await self._call(self._consumer.beginning_offsets(mine))
        ends = await self._call(self._consumer.end_offsets(mine))
        return {
            (place.topic.removeprefix(self._prefix), place.partition): (first[place], ends[place])
            for place in mine
        }

    async def _done_of(self, place: TopicPartition) -> int:
        """The position up to which all is done: behind gaps that compaction left, as far as is known."""
        if place not in self._done:
            committed = await self._call(self._consumer.committed(place))
            if committed is None:
                first = await self._call(self._consumer.beginning_offsets([place]))
                committed = first[place]
            self._done[place] = committed
        done = self._done[place]
        if self._given.get(place, done) > done:
            return done
        position: int = await self._call(self._consumer.position(place))
        return max(done, position)

    async def _watch(self, waited: float) -> None:
        """After a silence: nothing to come, or stuck?"""
        self._silent += waited
        if self._silent < self._watch_seconds:
            return
        self._silent = 0.0
        mine = sorted(self._consumer.assignment())
        ends = await self._call(self._consumer.end_offsets(mine)) if mine else {}
        for place in mine:
            position = await self._call(self._consumer.position(place))
            if position < ends[place]:
                raise BusStuck(
                    f"{self._group}: {ends[place] - position} messages wait in {place.topic} and none "
                    f"has come for {self._watch_seconds:g} s"
                )

    async def _leave(self) -> None:
        """Until the member has let go: as long as it lives, it may keep partitions from others."""
        leaving = asyncio.create_task(let_go(self._consumer.stop()))
        try:
            while not await ends(leaving, self._healthy, limits.STOP):
                get_logger(__name__).warning("Kafka is away; a member waits", group=self._group)
        finally:
            leaving.cancel()

    async def _call(self, work: Awaitable[T], seconds: float = limits.CALL) -> T:
        try:
            return await bounded(seconds, work)
        except (*limits.FAILURES, IllegalStateError) as error:
            raise BusError(f"{self._group}: Kafka: {error!r}") from error

    def _delivery(self, record: ConsumerRecord) -> Delivery:
        topic = record.topic.removeprefix(self._prefix)
        key = (record.key or b"").decode("utf-8", "replace")
        headers = tuple((name, text.decode("utf-8", "replace")) for name, text in record.headers)
        return Delivery(
            Message(topic, key, record.value, headers),
            Position(topic, record.partition, record.offset),
        )

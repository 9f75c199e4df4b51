"""The bus on Apache Kafka. The only file that knows aiokafka.

The client library may hang where its documentation promises a time limit, so every call stands under a
limit of ours, and a producer is disposable: after any failure it is thrown away and a new one made.
What it had taken may still arrive later, also out of turn; the contract of the port allows for that.
When throwing away does not help although Kafka answers, ``BusStuck`` ends the process. Positions are
committed by us, after the effect; a watchdog believes facts only. No Kafka transactions: consumers are
idempotent instead.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.structs import ConsumerRecord, OffsetAndMetadata, TopicPartition

from dealreg_shared.bounded import bounded
from dealreg_shared.bus.port import BusError, Delivery, Message, Position
from dealreg_shared.bus.stuck import BusStuck, Discarded, ends, let_go, within
from dealreg_shared.contracts.catalogue import TOPICS, Topic
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.telemetry import get_logger

T = TypeVar("T")

START_SECONDS = 45.0
CALL_SECONDS = 15.0
PUBLISH_SECONDS = 20.0
STOP_SECONDS = 9.0
HEALTH_SECONDS = 5.0
DISPOSALS = 3
"""So many producers thrown away although Kafka answers, without a success in between, mean that only a
new process helps. While Kafka is away a new process would help nobody."""

BATCH_BYTES = 256 * 1024
TOPIC_EXISTS = 36

_FAILURES = (KafkaError, OSError, TimeoutError)


class KafkaBus:
    """A ``bus.port.Bus`` on the brokers ``bootstrap`` (``host:port,host:port``)."""

    def __init__(
        self,
        bootstrap: str,
        *,
        prefix: str = "",
        replication: int = 1,
        session_seconds: float = 8.0,
        watch_seconds: float = 60.0,
        topics: Mapping[str, Topic] = TOPICS,
    ) -> None:
        """Connects to nothing yet.

        ``prefix`` stands before every topic's and group's name in Kafka; ``replication`` is used when
        topics are made; ``session_seconds`` is how long a member that died keeps its partitions;
        ``watch_seconds`` is how long messages may wait without any coming before ``BusStuck``.
        """
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._replication = replication
        self._session_seconds = session_seconds
        self._watch_seconds = watch_seconds
        self._topics = topics
        self._topics_made = False
        self._producer: AIOKafkaProducer | None = None
        self._partitioner = DefaultPartitioner()
        self._one_at_a_time = asyncio.Lock()
        self._disposals = 0
        self._last = Discarded()

    async def publish(self, messages: Sequence[Message]) -> None:
        """Append in the order given. Raises ``BusError``, or ``BusStuck`` when trying is in vain."""
        if not messages:
            return
        async with self._one_at_a_time:
            await self._last.gone(self.healthy, STOP_SECONDS)
            try:
                await bounded(PUBLISH_SECONDS, self._publish(messages))
            except _FAILURES as error:
                await self._dispose()
                raise BusError(f"Kafka did not acknowledge: {error!r}") from error
            crashpoint("kafka.acknowledged")
            self._disposals = 0

    @asynccontextmanager
    async def subscribe(
        self, group: str, topics: Sequence[str]
    ) -> AsyncIterator["KafkaSubscription"]:
        async with self._one_at_a_time:
            try:
                await bounded(START_SECONDS, self._ensure_topics())
            except _FAILURES as error:
                raise BusError(f"Kafka does not answer: {error!r}") from error
        subscription = KafkaSubscription(
            self._bootstrap,
            group=self._prefix + group,
            topics=topics,
            prefix=self._prefix,
            session_seconds=self._session_seconds,
            watch_seconds=self._watch_seconds,
            healthy=self.healthy,
        )
        async with subscription.joined():
            yield subscription

    async def healthy(self) -> bool:
        client = AIOKafkaClient(bootstrap_servers=self._bootstrap)
        try:
            await bounded(HEALTH_SECONDS, client.bootstrap())
        except _FAILURES:
            return False
        else:
            return True
        finally:
            await within(STOP_SECONDS, client.close())

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None and not await within(STOP_SECONDS, producer.stop()):
            get_logger(__name__).error("the Kafka producer did not stop")
        await self._last.abandon(STOP_SECONDS)

    async def create_topics(self) -> None:
        """Make the topics that are missing: kept for ever, compacted where the catalogue says so.

        Existing topics are left as they are. Raises ``BusError``.
        """
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        try:
            async with asyncio.timeout(START_SECONDS):
                await admin.start()
                existing = set(await admin.list_topics())
                missing = [
                    self._new_topic(topic)
                    for topic in self._topics.values()
                    if self._prefix + topic.name not in existing
                ]
                answer = await admin.create_topics(missing) if missing else None
        except _FAILURES as error:
            raise BusError(f"Kafka's topics cannot be made: {error!r}") from error
        finally:
            await within(STOP_SECONDS, admin.close())
        for name, code, *why in answer.topic_errors if answer else ():
            if code not in (0, TOPIC_EXISTS):
                raise BusError(f"Kafka did not make the topic {name}: error {code} {why}")

    def _new_topic(self, topic: Topic) -> NewTopic:
        settings = {"retention.ms": "-1", "retention.bytes": "-1"}
        settings["cleanup.policy"] = "compact" if topic.compacted else "delete"
        if self._replication >= 3:
            settings["min.insync.replicas"] = str(self._replication - 1)
        return NewTopic(
            self._prefix + topic.name,
            num_partitions=topic.partitions,
            replication_factor=self._replication,
            topic_configs=settings,
        )

    async def _ensure_topics(self) -> None:
        if not self._topics_made:
            try:
                await self.create_topics()
            except BusError as error:
                raise ConnectionError(str(error)) from error
            self._topics_made = True

    async def _publish(self, messages: Sequence[Message]) -> None:
        await self._ensure_topics()
        await self._send(await self._started(), messages)

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            self._producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap,
                acks="all",
                enable_idempotence=True,
                compression_type="lz4",
                max_batch_size=BATCH_BYTES,
                request_timeout_ms=int(PUBLISH_SECONDS * 750),
            )
            await self._producer.start()
        return self._producer

    async def _send(self, producer: AIOKafkaProducer, messages: Sequence[Message]) -> None:
        parts: dict[TopicPartition, list[Message]] = {}
        for message in messages:
            parts.setdefault(await self._place(producer, message), []).append(message)
        results = await asyncio.gather(
            *(_send_part(producer, place, part) for place, part in parts.items()),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _place(self, producer: AIOKafkaProducer, message: Message) -> TopicPartition:
        topic = self._prefix + message.topic
        partitions = sorted(await producer.partitions_for(topic))
        partition = self._partitioner(message.key.encode(), partitions, partitions)
        return TopicPartition(topic, partition)

    async def _dispose(self) -> None:
        """Throw the producer away. Raises ``BusStuck`` if it will not go, or too many have gone."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        self._last.let_go(producer.stop())
        await self._last.gone(self.healthy, STOP_SECONDS)
        if await self.healthy():
            self._disposals += 1
        if self._disposals >= DISPOSALS:
            raise BusStuck(f"{self._disposals} Kafka producers in a row have failed")


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
            request_timeout_ms=int(CALL_SECONDS * 1000),
        )

    @asynccontextmanager
    async def joined(self) -> AsyncIterator[None]:
        """In the group while the context lasts. Raises ``BusError``; ``BusStuck`` if it cannot leave."""
        try:
            await self._call(self._consumer.start(), START_SECONDS)
            yield
        except (asyncio.CancelledError, GeneratorExit):
            if not await within(STOP_SECONDS, self._consumer.stop()):
                get_logger(__name__).error("a Kafka consumer did not stop", group=self._group)
            raise
        except BaseException:
            await self._leave()
            raise
        await self._leave()

    async def fetch(self, limit: int, wait: float) -> Sequence[Delivery]:
        """Raises ``BusStuck`` when messages have waited too long without any coming."""
        fetching = self._consumer.getmany(timeout_ms=int(wait * 1000), max_records=limit)
        fetched = await self._call(fetching, wait + CALL_SECONDS)
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
            await bounded(CALL_SECONDS, self._consumer.commit(offsets))
        except (*_FAILURES, IllegalStateError) as error:
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
            while not await ends(leaving, self._healthy, STOP_SECONDS):
                get_logger(__name__).warning("Kafka is away; a member waits", group=self._group)
        finally:
            leaving.cancel()

    async def _call(self, work: Awaitable[T], seconds: float = CALL_SECONDS) -> T:
        try:
            return await bounded(seconds, work)
        except (*_FAILURES, IllegalStateError) as error:
            raise BusError(f"{self._group}: Kafka: {error!r}") from error

    def _delivery(self, record: ConsumerRecord) -> Delivery:
        topic = record.topic.removeprefix(self._prefix)
        key = (record.key or b"").decode("utf-8", "replace")
        headers = tuple((name, text.decode("utf-8", "replace")) for name, text in record.headers)
        return Delivery(
            Message(topic, key, record.value, headers),
            Position(topic, record.partition, record.offset),
        )


async def _send_part(
    producer: AIOKafkaProducer, place: TopicPartition, messages: Sequence[Message]
) -> None:
    """Send to one partition, each batch acknowledged before the next is handed over."""
    batch = producer.create_batch()
    for message in messages:
        record = {
            "timestamp": None,
            "key": message.key.encode(),
            "value": message.value,
            "headers": [(name, text.encode()) for name, text in message.headers],
        }
        if batch.append(**record) is None:
            batch.close()
            await (await producer.send_batch(batch, place.topic, partition=place.partition))
            batch = producer.create_batch()
            if batch.append(**record) is None:
                raise BusError(f"a message for {place.topic} is larger than a batch")
    batch.close()
    await (await producer.send_batch(batch, place.topic, partition=place.partition))

"""The bus on Apache Kafka. Only this package knows aiokafka.

The client library may hang where its documentation promises a time limit, so every call stands under a
limit of ours, and a producer is disposable: after any failure it is thrown away and a new one made.
What it had taken may still arrive later, also out of turn; the contract of the port allows for that.
When throwing away does not help although Kafka answers, ``BusStuck`` ends the process. No Kafka
transactions: consumers are idempotent instead.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.structs import TopicPartition

from dealreg_shared.bounded import bounded
from dealreg_shared.bus.kafka import limits
from dealreg_shared.bus.kafka.subscription import KafkaSubscription
from dealreg_shared.bus.port import BusError, Message
from dealreg_shared.bus.stuck import BusStuck, Discarded, within
from dealreg_shared.contracts.catalogue import TOPICS, Topic
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.telemetry import get_logger

BATCH_BYTES = 256 * 1024
TOPIC_EXISTS = 36


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
            await self._last.gone(self.healthy, limits.STOP)
            try:
                await bounded(limits.PUBLISH, self._publish(messages))
            except limits.FAILURES as error:
                await self._dispose()
                raise BusError(f"Kafka did not acknowledge: {error!r}") from error
            crashpoint("kafka.acknowledged")
            self._disposals = 0

    @asynccontextmanager
    async def subscribe(
        self, group: str, topics: Sequence[str]
    ) -> AsyncIterator[KafkaSubscription]:
        async with self._one_at_a_time:
            try:
                await bounded(limits.START, self._ensure_topics())
            except limits.FAILURES as error:
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
            await bounded(limits.HEALTH, client.bootstrap())
        except limits.FAILURES:
            return False
        else:
            return True
        finally:
            await within(limits.STOP, client.close())

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None and not await within(limits.STOP, producer.stop()):
            get_logger(__name__).error("the Kafka producer did not stop")
        await self._last.abandon(limits.STOP)

    async def create_topics(self) -> None:
        """Make the topics that are missing: kept for ever, compacted where the catalogue says so.

        Existing topics are left as they are. Raises ``BusError``.
        """
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        try:
            async with asyncio.timeout(limits.START):
                await admin.start()
                existing = set(await admin.list_topics())
                missing = [
                    self._new_topic(topic)
                    for topic in self._topics.values()
                    if self._prefix + topic.name not in existing
                ]
                answer = await admin.create_topics(missing) if missing else None
        except limits.FAILURES as error:
            raise BusError(f"Kafka's topics cannot be made: {error!r}") from error
        finally:
            await within(limits.STOP, admin.close())
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
                request_timeout_ms=int(limits.PUBLISH * 750),
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
        await self._last.gone(self.healthy, limits.STOP)
        if await self.healthy():
            self._disposals += 1
        if self._disposals >= limits.DISPOSALS:
            raise BusStuck(f"{self._disposals} Kafka producers in a row have failed")


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

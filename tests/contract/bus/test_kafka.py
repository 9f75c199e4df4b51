"""Kafka keeps the contract of the port, against a real broker."""

import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from dealreg_devstack import Kafka
from dealreg_shared.bus.kafka import KafkaBus
from dealreg_shared.contracts.catalogue import TOPICS
from tests.contract.bus.suite import Again, BusContract

pytestmark = pytest.mark.devstack


def connect(cluster: Kafka, prefix: str) -> KafkaBus:
    return KafkaBus(cluster.bootstrap, prefix=prefix, session_seconds=6.0)


@pytest.fixture
def prefix() -> str:
    return f"t{secrets.token_hex(4)}."


@pytest.fixture
async def bus(kafka_cluster: Kafka, prefix: str) -> AsyncIterator[KafkaBus]:
    bus = connect(kafka_cluster, prefix)
    yield bus
    await bus.close()


@pytest.fixture
async def again(kafka_cluster: Kafka, prefix: str) -> AsyncIterator[Again]:
    made: list[KafkaBus] = []

    def another() -> KafkaBus:
        made.append(connect(kafka_cluster, prefix))
        return made[-1]

    yield another
    for one in made:
        await one.close()


class TestKafkaBus(BusContract):
    """The contract, on a broker."""


async def test_topics_are_made_as_the_catalogue_says(
    bus: KafkaBus, kafka_cluster: Kafka, prefix: str
) -> None:
    await bus.create_topics()
    await bus.create_topics()
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_cluster.bootstrap)
    await admin.start()
    try:
        names = [prefix + name for name in TOPICS]
        described: dict[str, Any] = {}
        # A topic that was just made is known before its partitions are.
        while not described or not all(topic["partitions"] for topic in described.values()):
            described = {topic["topic"]: topic for topic in await admin.describe_topics(names)}
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        settings: dict[str, dict[str, str]] = {}
        for answer in await admin.describe_configs(resources):
            for resource in answer.resources:
                settings[resource[3]] = {entry[0]: entry[1] for entry in resource[4]}
    finally:
        await admin.close()
    for name, topic in TOPICS.items():
        assert len(described[prefix + name]["partitions"]) == topic.partitions
        assert settings[prefix + name]["retention.ms"] == "-1"
        policy = "compact" if topic.compacted else "delete"
        assert settings[prefix + name]["cleanup.policy"] == policy

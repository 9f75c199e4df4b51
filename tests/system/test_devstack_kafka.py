"""The devstack's Kafka is a real one and can be broken on purpose."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from dealreg_devstack import DevstackUnavailable, Kafka
from dealreg_devstack.kafka_probe import known_brokers
from dealreg_devstack.kafka_programs import fetch_jars, listed_jars
from dealreg_devstack.privileges import NOBODY, is_root
from dealreg_devstack.processes import OwnProcess

pytestmark = pytest.mark.devstack


@pytest.fixture(scope="module")
def kafka_for_itself() -> Iterator[Kafka]:
    with Kafka() as cluster:
        yield cluster


async def _create(bootstrap: str, topic: str, replicas: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, replicas)])
    finally:
        await admin.close()


@asynccontextmanager
async def _producer(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        yield producer
    finally:
        await asyncio.wait_for(producer.stop(), 30)


async def _read(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id=None
    )
    await consumer.start()
    try:
        messages = [await asyncio.wait_for(consumer.getone(), 60) for _ in range(count)]
    finally:
        await asyncio.wait_for(consumer.stop(), 30)
    return [message.value for message in messages]


async def test_messages_survive_a_kill_with_no_java_on_the_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("DEALREG_DEVSTACK_JAVA", raising=False)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with Kafka() as cluster:
        process = psutil.Process(cluster.pids[1])
        assert Path(process.exe()).parts[-3] == "java-runtime"
        if is_root():
            assert set(process.uids()) == {NOBODY}
        await _create(cluster.bootstrap, "deals", 1)
        async with _producer(cluster.bootstrap) as producer:
            await producer.send_and_wait("deals", b"before")
        bootstrap = cluster.bootstrap
        cluster.kill()
        assert not cluster.running
        cluster.restart()
        assert cluster.bootstrap == bootstrap
        async with _producer(bootstrap) as producer:
            await producer.send_and_wait("deals", b"after")
        assert await _read(bootstrap, "deals", 2) == [b"before", b"after"]
        folder, pid = cluster.folder, cluster.pids[1]
        recorded = OwnProcess.of(pid, "kafka.Kafka")
    assert not recorded.alive()
    assert folder is not None and not folder.exists()


async def test_three_nodes_go_on_without_one() -> None:
    with Kafka(nodes=3) as cluster:
        await _create(cluster.bootstrap, "deals", 3)
        async with _producer(cluster.bootstrap) as producer:
            await producer.send_and_wait("deals", b"three")
            cluster.kill(2)
            await asyncio.wait_for(producer.send_and_wait("deals", b"two"), 60)
        cluster.restart(2)
        assert await _read(cluster.bootstrap, "deals", 2) == [b"three", b"two"]


def test_a_paused_node_is_silent_until_it_is_resumed(kafka_for_itself: Kafka) -> None:
    port = int(kafka_for_itself.bootstrap.rpartition(":")[2])
    kafka_for_itself.pause()
    assert kafka_for_itself.running
    assert known_brokers(port) == set()
    kafka_for_itself.resume()
    assert known_brokers(port) == {1}


def test_a_folder_finds_its_cluster_again(kafka_for_itself: Kafka) -> None:
    assert kafka_for_itself.folder is not None
    found = Kafka.attach(kafka_for_itself.folder)
    assert found is not None
    assert found.bootstrap == kafka_for_itself.bootstrap
    assert found.pids == kafka_for_itself.pids
    assert Kafka(kafka_for_itself.folder).start().pids == found.pids


def test_a_state_file_that_names_a_stranger_harms_nobody(reachable_folder: Path) -> None:
    stranger = {"pid": os.getpid(), "started": 0.0, "mark": ""}
    state = {
        "cluster_id": "x",
        "formatted": True,
        "nodes": [{"broker": 1, "controller": 2, "process": stranger}],
    }
    (reachable_folder / "server.json").write_text(json.dumps(state))
    assert Kafka.attach(reachable_folder) is None
    Kafka(reachable_folder).stop()  # would end this very process


def test_a_java_that_is_not_there_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEALREG_DEVSTACK_JAVA", "/nowhere/java")
    with pytest.raises(
        DevstackUnavailable, match=r"^No Java: DEALREG_DEVSTACK_JAVA names /nowhere/java"
    ):
        Kafka().start()


def test_a_damaged_jar_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jars = fetch_jars()
    monkeypatch.setenv("M2_REPO", str(tmp_path))
    for jar, source in zip(listed_jars(), jars, strict=True):
        group, name, version = jar.coordinates.split(":")
        place = tmp_path.joinpath(*group.split("."), name, version, source.name)
        place.parent.mkdir(parents=True)
        place.symlink_to(source)
    assert len(fetch_jars()) == len(jars)
    place.unlink()
    place.write_bytes(source.read_bytes()[:-1] + b"!")
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")  # nobody listens: no download
    with pytest.raises(DevstackUnavailable, match=f"^No Kafka: {jar.coordinates} cannot be"):
        fetch_jars()


def test_only_clusters_of_one_or_three() -> None:
    with pytest.raises(ValueError, match="1 or 3"):
        Kafka(nodes=2)

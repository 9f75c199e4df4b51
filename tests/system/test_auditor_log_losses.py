"""A log that lost what it held is named, and no more once all of it has come again, on both buses."""

import asyncio
import re
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from dealreg.auditor.log_book import LogBook
from dealreg.auditor.log_tables import metadata
from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.bus.headers import event_headers, tombstone_headers
from dealreg_shared.bus.kafka import KafkaBus
from dealreg_shared.bus.port import Bus, Message
from dealreg_shared.contracts.catalogue import PEOPLE, REGISTRATION, TOPICS
from dealreg_shared.db import Database
from dealreg_shared.telemetry.metrics import exposition
from tests.factories.audit_world import audit_world

NOW = datetime(2027, 3, 1, tzinfo=UTC)

HISTORY = [("a", 1), ("b", 1), ("a", 2), ("c", 1), ("a", 3), ("b", 2)]


class Log:
    """A log that can lose its data."""

    def __init__(self, make: Callable[[], Bus], file: Path | None, kafka: Any, prefix: str) -> None:
        self._make, self._file, self._kafka, self._prefix = make, file, kafka, prefix
        self.bus = make()

    async def lose_all(self) -> None:
        await self.bus.close()
        if self._file is not None:
            for path in self._file.parent.glob(f"{self._file.name}*"):
                path.unlink()
        else:
            admin = AIOKafkaAdminClient(bootstrap_servers=self._kafka.bootstrap)
            await admin.start()
            names = {self._prefix + topic for topic in TOPICS}
            await admin.delete_topics(sorted(names))
            while names & set(await admin.list_topics()):
                await asyncio.sleep(0.05)
            await admin.close()
        self.bus = self._make()

    async def lose_the_beginning(self, topic: str) -> None:
        """Of every partition all but the last message."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._kafka.bootstrap)
        await admin.start()
        async with self.bus.subscribe("look", [topic]) as subscription:
            while not (extents := await subscription.extents()):
                await subscription.fetch(1, 0.1)
        await admin.delete_records(
            {
                TopicPartition(self._prefix + topic, partition): RecordsToDelete(end - 1)
                for (_, partition), (first, end) in extents.items()
                if end - 1 > first
            }
        )
        await admin.close()

    async def publish(self, events: Sequence[tuple[str, int]], topic: str = REGISTRATION) -> None:
        for key, version in events:
            body = f"{key}/{version}".encode()
            await self.bus.publish([Message(topic, key, body, event_headers(version))])


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.devstack)])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Log]:
    made: Log
    if request.param == "embedded":
        file = tmp_path / "bus" / "bus.db"
        made = Log(lambda: EmbeddedBus(file), file, None, "")
    else:
        kafka, prefix = request.getfixturevalue("kafka_cluster"), f"loss_{secrets.token_hex(4)}."
        made = Log(
            lambda: KafkaBus(kafka.bootstrap, prefix=prefix, session_seconds=6.0),
            None,
            kafka,
            prefix,
        )
    yield made
    await made.bus.close()


class Auditor:
    """The log book on one file, started anew for each reading."""

    def __init__(self, file: Path, log: Log) -> None:
        self._file, self._log = file, log

    async def reads(self) -> dict[str, str]:
        """Topic -> what it then says was lost of it."""
        database = Database(f"sqlite:///{self._file}")
        await database.write(metadata.create_all)
        book = LogBook(database, self._log.bus, lambda: NOW)
        await book.drain()
        found = {finding.ids[1]: finding.sentence for finding in await book.losses()}
        assert await book.faults() == []
        await database.dispose()
        return found


async def test_a_log_that_lost_its_data_is_named_until_all_has_come_again(
    log: Log, tmp_path: Path
) -> None:
    auditor = Auditor(tmp_path / "auditor.db", log)
    await log.publish(HISTORY)
    await log.publish([("p", 1), ("p", 2), ("q", 1)], PEOPLE)
    await log.bus.publish([Message(PEOPLE, "q", None, tombstone_headers(2))])
    assert await auditor.reads() == {}

    await log.lose_all()
    said = await auditor.reads()
    assert set(said) == {REGISTRATION, PEOPLE}
    assert "is gone" in said[REGISTRATION] or "now ends" in said[REGISTRATION]
    assert "Of 3 of its keys, a for one" in said[REGISTRATION]
    assert "Of 1 of its keys, p for one" in said[PEOPLE], "an erased person need not come again"
    assert await auditor.reads() == said, "a new auditor knows it too"

    await log.publish(HISTORY[:4])
    await log.publish([("p", 2)], PEOPLE)
    said = await auditor.reads()
    assert set(said) == {REGISTRATION}
    assert "Of 2 of its keys, a for one" in said[REGISTRATION]

    await log.publish([*HISTORY[2:], ("a", 4)])
    assert await auditor.reads() == {}


async def test_a_log_that_was_made_anew_and_grew_past_what_was_read_is_named(
    log: Log, tmp_path: Path
) -> None:
    """No offset tells it: the group's positions are gone, and the log comes again without its past."""
    auditor = Auditor(tmp_path / "auditor.db", log)
    await log.publish(HISTORY)
    assert await auditor.reads() == {}
    await log.lose_all()
    await log.publish([("a", version) for version in range(4, 40)])
    await log.publish([("b", version) for version in range(3, 40)])
    await log.publish([("c", version) for version in range(2, 40)])
    said = await auditor.reads()
    assert set(said) == {REGISTRATION}
    assert "Of 3 of its keys, a for one" in said[REGISTRATION]


async def test_a_log_that_is_read_again_in_whole_has_lost_nothing(log: Log, tmp_path: Path) -> None:
    auditor = Auditor(tmp_path / "auditor.db", log)
    await log.publish(HISTORY)
    assert await auditor.reads() == {}
    async with log.bus.subscribe("auditor", list(TOPICS)) as subscription:
        while not await subscription.extents():
            await subscription.fetch(1, 0.1)
        await subscription.seek_to_beginning()
    assert await auditor.reads() == {}
    await log.publish([("a", 4)])
    assert await auditor.reads() == {}


async def test_the_auditors_answer_and_its_metric_name_the_loss(tmp_path: Path) -> None:
    bus = EmbeddedBus(tmp_path / "bus.db")
    async with audit_world(tmp_path, bus) as world:
        await world.file("acme", "account-1")
        await world.settle()
        assert (await world.audit()).status == "clean"
        with sqlite3.connect(tmp_path / "bus.db") as conn:
            conn.execute("DELETE FROM message")
            conn.execute("DELETE FROM sqlite_sequence")
        conn.close()
        told = await world.audit()
    await bus.close()
    assert told.status == "findings"
    assert REGISTRATION in {f.ids[1] for f in told.findings if f.check == "log-lost"}
    [shown] = re.findall(
        r'dealreg_auditor_findings{check="log-lost",service="bus"} (.+)', exposition().decode()
    )
    assert float(shown) == len([f for f in told.findings if f.check == "log-lost"])


@pytest.mark.devstack
@pytest.mark.parametrize("log", ["kafka"], indirect=True)
async def test_a_topic_whose_beginning_was_deleted_is_named(log: Log, tmp_path: Path) -> None:
    """As retention would, were it ever set."""
    auditor = Auditor(tmp_path / "auditor.db", log)
    await log.publish(HISTORY)
    assert await auditor.reads() == {}
    await log.lose_the_beginning(REGISTRATION)
    said = await auditor.reads()
    assert set(said) == {REGISTRATION}
    assert "began at 0, and now begins at" in said[REGISTRATION]

"""The log book knows of each key what the log knows, on both buses, also after a new start."""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dealreg.auditor.log_book import LogBook
from dealreg.auditor.log_tables import metadata
from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.bus.headers import event_headers, tombstone_headers
from dealreg_shared.bus.kafka import KafkaBus
from dealreg_shared.bus.port import Bus, Message
from dealreg_shared.contracts.catalogue import PEOPLE, REGISTRATION
from dealreg_shared.db import Database

NOW = datetime(2027, 3, 1, tzinfo=UTC)


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.devstack)])
async def bus(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bus]:
    made: Bus
    if request.param == "embedded":
        made = EmbeddedBus(tmp_path / "bus.db")
    else:
        kafka = request.getfixturevalue("kafka_cluster")
        made = KafkaBus(
            kafka.bootstrap, prefix=f"book_{secrets.token_hex(4)}.", session_seconds=6.0
        )
    yield made
    await made.close()


async def opened(file: Path, bus: Bus) -> tuple[LogBook, Database]:
    database = Database(f"sqlite:///{file}")
    await database.write(metadata.create_all)
    return LogBook(database, bus, lambda: NOW), database


def event(key: str, version: int, body: bytes | None = None) -> Message:
    return Message(REGISTRATION, key, body or f"{key}/{version}".encode(), event_headers(version))


async def test_versions_gaps_and_two_events_of_one_version(bus: Bus, tmp_path: Path) -> None:
    await bus.publish([event("a", 1), event("b", 1), event("a", 2), event("a", 3)])
    await bus.publish([event("a", 2), event("c", 2), event("b", 1, b"another")])
    await bus.publish(
        [
            Message(PEOPLE, "p", b"1", event_headers(1)),
            Message(PEOPLE, "p", None, tombstone_headers(4)),
            Message(REGISTRATION, "none", b"no version"),
        ]
    )
    book, database = await opened(tmp_path / "auditor.db", bus)
    assert book.behind() is None

    await book.drain()

    assert book.behind() is not None
    assert await book.after(REGISTRATION, "") == {"a": 3, "b": 1, "c": 2}
    assert await book.versions(PEOPLE, ["p", "q"]) == {"p": 4}
    assert {finding.ids[0]: finding.sentence for finding in await book.faults()} == {
        "b": "The log holds two different events as version 1 of b on dealreg.registration.",
        "c": "The log goes to version 2 of c on dealreg.registration, but one before is missing.",
    }
    await database.dispose()


async def test_a_lost_file_is_made_again_from_the_beginning(bus: Bus, tmp_path: Path) -> None:
    await bus.publish([event("a", 1), event("a", 2)])
    book, database = await opened(tmp_path / "auditor.db", bus)
    await book.drain()
    await database.dispose()
    await bus.publish([event("a", 3)])

    book, database = await opened(tmp_path / "auditor.db", bus)
    await book.drain()
    assert await book.after(REGISTRATION, "") == {"a": 3}
    await database.dispose()

    book, database = await opened(tmp_path / "another.db", bus)
    await book.drain()
    assert await book.after(REGISTRATION, "") == {"a": 3}
    assert await book.faults() == []
    await database.dispose()


async def test_only_what_was_read_lately_is_recalled(tmp_path: Path) -> None:
    bus = EmbeddedBus(tmp_path / "bus.db")
    book, database = await opened(tmp_path / "auditor.db", bus)
    await book.recall()
    assert book.behind() is None
    await book.drain()

    again, database_again = await opened(tmp_path / "auditor.db", bus)
    await again.recall()
    assert again.behind() is not None

    late = LogBook(database, bus, lambda: NOW.replace(hour=1))
    await late.recall()
    assert late.behind() is None
    await database.dispose()
    await database_again.dispose()
    await bus.close()

"""From one service's outbox to another's inbox, on every pair of database and bus."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, MetaData, func, select

from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.bus.kafka import KafkaBus
from dealreg_shared.bus.port import Bus
from dealreg_shared.contracts.catalogue import PEOPLE, PLAN
from dealreg_shared.db import Database
from dealreg_shared.inbox import Consumer, inbox_tables
from dealreg_shared.outbox import Outbox, Relay, outbox_tables
from dealreg_shared.outbox.archive import RelayHolds, send_again
from tests.factories.travelling import AT, PERSON, SUSPENDED, forgotten, nothing, person, suspended

METADATA = MetaData()
OUTBOX = outbox_tables(METADATA)
INBOX = inbox_tables(METADATA)
WRITER = Outbox(OUTBOX, "/dealreg/registration", "default")
KEYS = [f"key-{number}" for number in range(10)]


@pytest.fixture(params=["embedded", "kafka"])
async def bus(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bus]:
    made: Bus
    if request.param == "embedded":
        made = EmbeddedBus(tmp_path / "bus.db")
    else:
        cluster = request.getfixturevalue("kafka_cluster")
        made = KafkaBus(cluster.bootstrap, prefix=f"t{secrets.token_hex(4)}.", session_seconds=6.0)
    yield made
    await made.close()


def consumer(database: Database, bus: Bus) -> Consumer:
    return Consumer(
        database,
        INBOX,
        bus,
        "readers",
        [PLAN, PEOPLE],
        {SUSPENDED: nothing, PERSON: nothing},
        {PEOPLE: forgotten},
    )


async def applied(database: Database) -> dict[str, int]:
    query = select(INBOX.key.c.key, INBOX.key.c.version).where(INBOX.key.c.status.is_(None))
    return await database.read(lambda conn: {row[0]: row[1] for row in conn.execute(query)})


def unsent(conn: Connection) -> int:
    table = OUTBOX.outbox
    query = select(func.count()).select_from(table).where(table.c.sent_at.is_(None))
    return int(conn.execute(query).scalar_one())


async def test_what_was_decided_is_applied_drained(database: Database, bus: Bus) -> None:
    await database.write(METADATA.create_all)
    relay = Relay(database, OUTBOX, bus, "test")
    for _ in range(5):
        items = [suspended(key) for key in KEYS] + [person("p1")]
        await database.write(partial(WRITER.append, items=items, at=AT))
    await database.write(lambda conn: WRITER.erase(conn, PEOPLE, ["p1"], AT))
    assert await relay.drain() == 51  # of p1 the tombstone only
    reading = consumer(database, bus)
    assert await reading.drain() == 51
    assert await applied(database) == {**dict.fromkeys(KEYS, 5), "p1": 6}
    assert await reading.drain() == 0


async def test_what_was_decided_is_applied_by_itself(database: Database, bus: Bus) -> None:
    await database.write(METADATA.create_all)
    relay, reading = Relay(database, OUTBOX, bus, "test"), consumer(database, bus)
    running = [asyncio.create_task(flow.run()) for flow in (relay, reading)]
    for _ in range(10):
        items = [suspended(key) for key in KEYS]
        await database.write(partial(WRITER.append, items=items, at=AT))
        relay.wake()
    async with asyncio.timeout(60):
        while await applied(database) != dict.fromkeys(KEYS, 10):
            await asyncio.sleep(0.02)
    for task in running:
        task.cancel()
    assert all(
        isinstance(end, asyncio.CancelledError)
        for end in await asyncio.gather(*running, return_exceptions=True)
    )


async def test_an_empty_bus_is_filled_again_from_the_archive(
    database: Database, bus: Bus, tmp_path: Path
) -> None:
    await database.write(METADATA.create_all)
    items = [suspended(key) for key in KEYS] * 3
    await database.write(lambda conn: WRITER.append(conn, items, AT))
    await Relay(database, OUTBOX, bus, "test").drain()
    await consumer(database, bus).drain()
    empty = EmbeddedBus(tmp_path / "another.db")
    try:
        with pytest.raises(RelayHolds, match="A relay holds shards of this outbox until"):
            await database.write(lambda conn: send_again(conn, OUTBOX, [PLAN]))
        assert await database.read(unsent) == 0, "a refusal changes nothing"
        await database.write(lambda conn: conn.execute(OUTBOX.lease.delete()) and None)
        for count in (30, 0):
            marked = await database.write(lambda conn: send_again(conn, OUTBOX, [PLAN]))
            assert marked == {PLAN: count}
        assert await Relay(database, OUTBOX, empty, "test").drain() == 30
        fresh = Consumer(database, INBOX, empty, "others", [PLAN], {SUSPENDED: nothing})
        assert await fresh.drain() == 30
        assert await consumer(database, empty).drain() == 30  # known already: nothing changes
    finally:
        await empty.close()
    assert await applied(database) == dict.fromkeys(KEYS, 3)

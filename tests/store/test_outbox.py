"""The outbox loses nothing and reorders nothing, whatever fails; on SQLite and on PostgreSQL."""

import asyncio

import pytest
from pydantic import ValidationError
from sqlalchemy import Connection, func, select

from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.contracts.catalogue import PEOPLE, PLAN, decode
from dealreg_shared.db import Database
from dealreg_shared.outbox import EventTooLarge
from tests.factories.outbox_rows import (
    KEYS,
    METADATA,
    OUTBOX,
    TABLES,
    append,
    relay,
)
from tests.factories.travelling import AT, person, suspended, versions, whole_log


@pytest.fixture
async def stored(database: Database) -> Database:
    await database.write(METADATA.create_all)
    return database


async def test_versions_of_a_key_count_from_one_without_gaps(stored: Database) -> None:
    assert await append(stored, suspended("a"), suspended("b"), suspended("a")) == [1, 1, 2]
    assert await append(stored, suspended("b"), suspended("a")) == [2, 3]


async def test_a_version_is_not_used_up_by_a_transaction_that_rolls_back(stored: Database) -> None:
    def work(conn: Connection) -> None:
        OUTBOX.append(conn, [suspended("a")], AT)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        await stored.write(work)
    assert await append(stored, suspended("a")) == [1]


async def test_writers_of_the_same_keys_wait_for_each_other(stored: Database) -> None:
    """Each transaction names the keys in another order; none deadlocks, no version is taken twice."""
    orders = [KEYS[turn:] + KEYS[:turn] for turn in range(len(KEYS))]
    await asyncio.gather(
        *(append(stored, *(suspended(key) for key in order)) for order in orders for _ in range(4))
    )
    table = TABLES.outbox
    rows = await stored.read(
        lambda conn: conn.execute(select(table.c.key, table.c.version).order_by(table.c.id)).all()
    )
    for key in KEYS:
        assert [row.version for row in rows if row.key == key] == list(range(1, 29))


async def test_writers_of_the_same_new_keys_do_not_deadlock(stored: Database) -> None:
    for turn in range(5):
        keys = [f"{turn}-{number}" for number in range(60)]
        orders = [keys, keys[::-1]] * 2
        await asyncio.gather(
            *(append(stored, *(suspended(key) for key in order)) for order in orders)
        )


async def test_rows_are_those_that_append_would_insert() -> None:
    rows = OUTBOX.rows([suspended("a"), suspended("b"), suspended("a")], AT, {(PLAN, "a"): 4})
    assert [(row["key"], row["version"]) for row in rows] == [("a", 5), ("b", 1), ("a", 6)]
    assert [decode(row["body"].encode()).keyversion for row in rows] == [5, 1, 6]


async def test_an_event_that_the_bus_would_refuse_is_refused_where_it_is_decided() -> None:
    with pytest.raises(EventTooLarge, match="at most"):
        OUTBOX.rows([suspended("a", "x" * 600_000)], AT, {})
    with pytest.raises(ValueError, match="1 to 200 characters"):
        OUTBOX.rows([suspended("a" * 201)], AT, {})


async def test_data_of_another_type_is_refused() -> None:
    wrong = suspended("a")
    with pytest.raises(ValidationError):
        OUTBOX.rows([type(wrong)(wrong.type, "a", "a", person("a").data, "c")], AT, {})


async def test_only_a_compacted_topic_takes_tombstones(stored: Database) -> None:
    with pytest.raises(ValueError, match="not compacted"):
        await stored.write(lambda conn: OUTBOX.erase(conn, PLAN, ["a"], AT))


async def test_everything_arrives_in_the_order_of_its_key(
    stored: Database, embedded_bus: EmbeddedBus
) -> None:
    for turn in range(30):
        await append(stored, *(suspended(key) for key in KEYS[turn % 3 :]))
    moved = await relay(stored, embedded_bus).drain()
    log = await whole_log(embedded_bus, PLAN)
    assert moved == len(log) == 180
    for key in KEYS:
        assert versions(log, key) == sorted(versions(log, key))
    assert await relay(stored, embedded_bus).drain() == 0


async def test_sent_rows_stay(stored: Database, embedded_bus: EmbeddedBus) -> None:
    await append(stored, suspended("a"))
    await relay(stored, embedded_bus).drain()
    query = select(func.count()).select_from(TABLES.outbox)
    assert await stored.read(lambda conn: conn.execute(query).scalar_one()) == 1


async def test_a_tombstone_arrives_without_a_value_and_with_its_version(
    stored: Database, embedded_bus: EmbeddedBus
) -> None:
    await append(stored, person("p1"), person("p2"))
    await stored.write(lambda conn: OUTBOX.erase(conn, PEOPLE, ["p1"], AT))
    await relay(stored, embedded_bus).drain()
    last = {d.message.key: d.message for d in await whole_log(embedded_bus, PEOPLE)}
    assert last["p1"].value is None
    assert dict(last["p1"].headers)["keyversion"] == "2"
    assert last["p2"].value is not None


async def test_a_tombstone_leaves_nothing_of_its_key_in_the_archive(
    stored: Database, embedded_bus: EmbeddedBus
) -> None:
    await append(stored, person("p1"), person("p2"))
    await relay(stored, embedded_bus).drain()
    await append(stored, person("p1"))
    await stored.write(lambda conn: OUTBOX.erase(conn, PEOPLE, ["p1"], AT))
    table = TABLES.outbox
    query = select(table.c.key, table.c.version, table.c.body).order_by(table.c.id)
    rows = await stored.read(lambda conn: conn.execute(query).all())
    assert [(row.key, row.version, row.body is None) for row in rows] == [
        ("p2", 1, False),
        ("p1", 3, True),
    ]

"""Rows that may be there already, on SQLite and PostgreSQL."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    select,
)
from sqlalchemy.exc import DBAPIError

from dealreg_shared.db import Database, UtcDateTime
from dealreg_shared.db.upsert import insert_new, lock_rows, put_rows

METADATA = MetaData()
THING = Table(
    "thing",
    METADATA,
    Column("topic", String(8), primary_key=True),
    Column("key", String(8), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("at", UtcDateTime),
    Column("done", Boolean),
    Column("number", Integer, nullable=False, server_default="7"),
    Column("body", LargeBinary),
)
AT = datetime(2026, 3, 2, 9, 0, 0, 1, tzinfo=UTC)


def thing(key: str, version: int = 1, **columns: Any) -> dict[str, Any]:
    return {"topic": "t", "key": key, "version": version} | columns


@pytest.fixture
async def things(database: Database) -> Database:
    await database.write(METADATA.create_all)
    return database


async def versions(things: Database) -> dict[str, int]:
    def read(conn: Connection) -> dict[str, int]:
        return {row.key: row.version for row in conn.execute(select(THING))}

    return await things.read(read)


async def test_a_row_that_is_there_stays_as_it_is(things: Database) -> None:
    await things.write(lambda conn: insert_new(conn, THING, [thing("a", 1)]))
    await things.write(lambda conn: insert_new(conn, THING, [thing("a", 2), thing("b", 3)]))
    assert await versions(things) == {"a": 1, "b": 3}


async def test_a_row_takes_the_place_of_the_one_with_its_key(things: Database) -> None:
    """Only in the columns that it has."""
    await things.write(lambda conn: insert_new(conn, THING, [thing("a", 1, number=5, at=AT)]))
    rows = [thing("b", 3, at=AT), thing("a", 2, at=None)]
    await things.write(lambda conn: put_rows(conn, THING, rows))
    found = await things.read(lambda conn: conn.execute(select(THING).order_by("key")).all())
    assert [(row.key, row.version, row.at, row.number) for row in found] == [
        ("a", 2, None, 5),
        ("b", 3, AT, 7),
    ]


async def test_no_rows_are_no_work(things: Database) -> None:
    def none(conn: Connection) -> None:
        insert_new(conn, THING, [])
        put_rows(conn, THING, [])
        assert lock_rows(conn, THING, []) == ()

    await things.write(none)
    assert await versions(things) == {}


async def test_values_come_back_as_they_were(things: Database) -> None:
    row = thing("é'%(x)s", -(2**63), at=AT, done=True)
    await things.write(lambda conn: insert_new(conn, THING, [row]))
    (found,) = await things.read(lambda conn: conn.execute(select(THING)).all())
    assert (found.key, found.version, found.at, found.done) == ("é'%(x)s", -(2**63), AT, True)


@pytest.mark.parametrize(
    "row",
    [thing("a", at=AT.replace(tzinfo=None)), thing("a", body=b"x")],
    ids=["a time without a zone", "bytes"],
)
async def test_what_json_has_no_value_for_is_refused(things: Database, row: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        await things.write(lambda conn: insert_new(conn, THING, [row]))


async def test_a_text_that_is_too_long_is_not_cut_off(things: Database) -> None:
    if things.dialect == "sqlite":
        await things.write(lambda conn: insert_new(conn, THING, [thing("123456789")]))
        assert await versions(things) == {"123456789": 1}
        return
    with pytest.raises(DBAPIError, match="too long"):
        await things.write(lambda conn: insert_new(conn, THING, [thing("123456789")]))


async def test_rows_are_locked_in_the_order_of_their_keys(things: Database) -> None:
    """Those that exist, each once, whatever order they are asked for in."""
    await things.write(
        lambda conn: insert_new(conn, THING, [thing(key) for key in ("c", "a", "b", "d")])
    )

    def lock(conn: Connection) -> list[str]:
        asked = [("t", "c"), ("t", "x"), ("t", "a"), ("other", "d"), ("t", "c")]
        return [row.key for row in lock_rows(conn, THING, asked)]

    assert await things.write(lock) == ["a", "c"]


async def test_others_wait_for_a_locked_row(things: Database) -> None:
    """Each adds one to what it has read under the lock: none is lost, and none waits for ever."""
    await things.write(lambda conn: insert_new(conn, THING, [thing(key, 0) for key in "abc"]))

    def add(conn: Connection) -> None:
        rows = lock_rows(conn, THING, [("t", key) for key in "cab"])
        put_rows(conn, THING, [thing(row.key, row.version + 1) for row in rows])

    await asyncio.gather(*(things.write(add) for _ in range(20)))
    assert await versions(things) == {"a": 20, "b": 20, "c": 20}

"""Rows of several tables at once, on SQLite and PostgreSQL: the same rows, in the same order."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Date,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    select,
)
from sqlalchemy.exc import DBAPIError

from dealreg_shared.db import Database, JsonText, UtcDateTime
from dealreg_shared.db.bulk import insert_rows

METADATA = MetaData()
PARENT = Table(
    "parent",
    METADATA,
    Column("key", String(8), primary_key=True),
    Column("at", UtcDateTime),
    Column("day", Date),
    Column("body", LargeBinary),
    Column("detail", JsonText),
)
CHILD = Table(
    "child",
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("parent", String(8), ForeignKey("parent.key"), nullable=False),
    Column("number", Integer, nullable=False),
)


def parent(key: str, **columns: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"at": None, "day": None, "body": None, "detail": None}
    return {"key": key} | empty | columns


@pytest.fixture
async def tables(database: Database) -> Database:
    await database.write(METADATA.create_all)
    return database


@pytest.mark.parametrize("count", [1, 7, 8, 45, 131])
async def test_rows_stand_in_their_order_whatever_their_number(
    tables: Database, count: int
) -> None:
    rows = [{"parent": "a", "number": number} for number in range(count)]
    await tables.write(lambda conn: insert_rows(conn, [(PARENT, [parent("a")]), (CHILD, rows)]))

    def numbers(conn: Connection) -> list[int]:
        return list(conn.execute(select(CHILD.c.number).order_by(CHILD.c.id)).scalars())

    assert await tables.read(numbers) == list(range(count))


async def test_values_come_back_as_they_were(tables: Database) -> None:
    row = parent(
        "é'%(x)s",
        at=datetime(2026, 3, 2, 9, 0, 0, 1, tzinfo=UTC),
        day=date(2026, 12, 31),
        body=b"\x00\xff{}",
        detail={"b": ["é", None], "a": 1},
    )
    await tables.write(lambda conn: insert_rows(conn, [(PARENT, [row, parent("none")])]))

    stored = await tables.read(lambda conn: conn.execute(select(PARENT)).mappings().all())

    assert [dict(found) for found in stored] == [row, parent("none")]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has no lengths
async def test_a_text_that_is_too_long_is_refused_and_not_cut_off(tables: Database) -> None:
    with pytest.raises(DBAPIError):
        await tables.write(lambda conn: insert_rows(conn, [(PARENT, [parent("nine char")])]))


async def test_rows_with_different_columns_are_refused(tables: Database) -> None:
    with pytest.raises((KeyError, ValueError)):
        await tables.write(lambda conn: insert_rows(conn, [(PARENT, [parent("a"), {"key": "b"}])]))


async def test_a_naive_time_is_refused(tables: Database) -> None:
    naive = parent("a", at=datetime(2026, 3, 2))  # noqa: DTZ001
    with pytest.raises(ValueError, match="naive"):
        await tables.write(lambda conn: insert_rows(conn, [(PARENT, [naive])]))


async def test_nothing_to_insert_is_nothing_done(tables: Database) -> None:
    await tables.write(lambda conn: insert_rows(conn, [(PARENT, [])]))

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
    Text,
    select,
    type_coerce,
)
from sqlalchemy.exc import DBAPIError

from dealreg_shared.db import Database, JsonText, UtcDateTime
from dealreg_shared.db.bulk import LONG_VALUES, insert_rows

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
LONG = PARENT.to_metadata(METADATA, name="long_parent")
LONG.info = LONG_VALUES
BOTH_WAYS = pytest.mark.parametrize("table", [PARENT, LONG], ids=["as JSON", "as arrays"])

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


@BOTH_WAYS
async def test_values_come_back_as_they_were(tables: Database, table: Table) -> None:
    row = parent(
        "é'%(x)s",
        at=datetime(2026, 3, 2, 9, 0, 0, 1, tzinfo=UTC),
        day=date(2026, 12, 31),
        body=b"\x00\xff{}",
        detail={"b": ["é", None], "a": 1},
    )
    await tables.write(lambda conn: insert_rows(conn, [(table, [row, parent("none")])]))

    stored = await tables.read(lambda conn: conn.execute(select(table)).mappings().all())

    assert [dict(found) for found in stored] == [row, parent("none")]


async def test_tables_of_both_kinds_go_together(tables: Database) -> None:
    rows = [{"parent": "a", "number": number} for number in range(3)]
    written = [(PARENT, [parent("a")]), (LONG, [parent("b")]), (CHILD, rows), (LONG, [parent("c")])]
    await tables.write(lambda conn: insert_rows(conn, written))

    def keys(conn: Connection) -> list[str]:
        return list(conn.execute(select(LONG.c.key).order_by(LONG.c.key)).scalars())

    assert await tables.read(keys) == ["b", "c"]


async def test_json_is_spelled_the_same_both_ways(tables: Database) -> None:
    row = parent("a", detail={"b": [1, 'é\n"', None, 1.5, True], "a": {"z": {}, "y": []}})
    await tables.write(lambda conn: insert_rows(conn, [(PARENT, [row]), (LONG, [row])]))

    def spelled(conn: Connection, table: Table) -> str:
        return conn.execute(select(type_coerce(table.c.detail, Text))).scalar_one()

    assert await tables.read(lambda conn: spelled(conn, PARENT)) == await tables.read(
        lambda conn: spelled(conn, LONG)
    )


@BOTH_WAYS
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has no lengths
async def test_a_text_that_is_too_long_is_refused_and_not_cut_off(
    tables: Database, table: Table
) -> None:
    with pytest.raises(DBAPIError):
        await tables.write(lambda conn: insert_rows(conn, [(table, [parent("nine char")])]))


@BOTH_WAYS
async def test_rows_with_different_columns_are_refused(tables: Database, table: Table) -> None:
    with pytest.raises((KeyError, ValueError)):
        await tables.write(lambda conn: insert_rows(conn, [(table, [parent("a"), {"key": "b"}])]))


@BOTH_WAYS
async def test_a_naive_time_is_refused(tables: Database, table: Table) -> None:
    naive = parent("a", at=datetime(2026, 3, 2))  # noqa: DTZ001  (must be refused)
    with pytest.raises(ValueError, match="naive"):
        await tables.write(lambda conn: insert_rows(conn, [(table, [naive])]))


async def test_nothing_to_insert_is_nothing_done(tables: Database) -> None:
    await tables.write(lambda conn: insert_rows(conn, [(PARENT, [])]))

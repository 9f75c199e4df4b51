"""A look-up reads no whole table, also where its plan was made while the table was small."""

from typing import Any

import pytest
from sqlalchemy import Column, Connection, MetaData, String, Table

from dealreg_shared.db import Database
from dealreg_shared.db.upsert import insert_new, lock_rows
from dealreg_shared.ids import new_id


@pytest.mark.devstack
async def test_a_small_table_is_read_by_its_index_when_asked_for(
    request: pytest.FixtureRequest,
) -> None:
    server = request.getfixturevalue("postgres_server")
    name = new_id("index")[:40]
    url = server.create_database(name, name)
    plans = []
    for by_index in (True, False):
        database = Database(url, by_index=by_index)
        await database.write(
            lambda conn: conn.exec_driver_sql("CREATE TABLE IF NOT EXISTS small AS SELECT 1 AS id")
        )
        await database.write(
            lambda conn: conn.exec_driver_sql("CREATE INDEX IF NOT EXISTS of_id ON small (id)")
        )
        await database.write(lambda conn: conn.exec_driver_sql("ANALYZE small"))
        rows = await database.read(
            lambda conn: conn.exec_driver_sql("EXPLAIN SELECT * FROM small WHERE id = 1").all()
        )
        plans.append(" ".join(row[0] for row in rows))
        await database.dispose()
    server.drop_database(name, name)
    assert "Seq Scan" not in plans[0]
    assert "Seq Scan" in plans[1]


GROWN = Table(
    "grown",
    MetaData(),
    Column("topic", String(20), primary_key=True),
    Column("key", String(20), primary_key=True),
)


@pytest.mark.devstack
async def test_rows_to_be_locked_are_looked_up_one_by_one(request: pytest.FixtureRequest) -> None:
    """Their plan was made while the table was empty, and all of its rows share a part of their keys."""
    server = request.getfixturevalue("postgres_server")
    name = new_id("grown")[:40]
    database = Database(server.create_database(name, name), pool_size=1)
    wanted = [("orders", f"k{number}") for number in range(10)]

    def rows_read(conn: Connection) -> int:
        counted = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables"
        return int(conn.exec_driver_sql(f"{counted} WHERE relname = 'grown'").scalar_one())

    def lock(conn: Connection) -> tuple[int, int]:
        before = rows_read(conn)
        return len(lock_rows(conn, GROWN, wanted)), rows_read(conn) - before

    def fill(conn: Connection) -> None:
        rows: list[dict[str, Any]] = [
            {"topic": "orders", "key": f"k{number}"} for number in range(20_000)
        ]
        insert_new(conn, GROWN, rows)

    try:
        await database.write(GROWN.metadata.create_all)
        for _ in range(10):
            assert await database.write(lock) == (0, 0)
        await database.write(fill)
        assert await database.write(lock) == (10, 10)
    finally:
        await database.dispose()
        server.drop_database(name, name)

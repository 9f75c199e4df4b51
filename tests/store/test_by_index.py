"""A look-up reads no whole table, also where its plan was made while the table was small."""

import pytest

from dealreg_shared.db import Database
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

"""Registration's migrations: up, down and up again, and what they make is what the code expects."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect

from dealreg_registration.tables import metadata
from dealreg_shared.db import Database
from dealreg_shared.db.migrate import downgrade, migrate

PACKAGE = "dealreg_registration"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.devstack)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'registration.db'}")
        yield database
        await database.dispose()
        return
    server = request.getfixturevalue("postgres_server")
    name = f"migrated_{abs(hash(request.node.nodeid)) % 10**9}"
    database = Database(server.create_database(name, name))
    yield database
    await database.dispose()
    server.drop_database(name, name)


def differences(conn: Connection) -> list[Any]:
    """What Alembic would still change."""
    context = MigrationContext.configure(conn, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


def names(conn: Connection) -> set[str]:
    return set(inspect(conn).get_table_names()) - {"alembic_version"}


async def test_up_down_and_up_again(database: Database) -> None:
    await migrate(database, PACKAGE)
    assert await database.read(differences) == []
    assert await database.read(names) == set(metadata.tables)
    await downgrade(database, PACKAGE)
    assert await database.read(names) == set()
    await migrate(database, PACKAGE, "0001")
    await migrate(database, PACKAGE)
    assert await database.read(differences) == []

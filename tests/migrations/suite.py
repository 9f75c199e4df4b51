"""What every service's migrations keep. Inherited by one class per service.

Compares the tables of ``dealreg_<service>.tables.metadata`` with what the revisions of
``dealreg_<service>.migrations`` make, on both databases.
"""

import asyncio
from collections.abc import AsyncIterator
from importlib import import_module
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, inspect

from dealreg_shared.db import Database, app_now
from dealreg_shared.db.migrate import alembic_config, downgrade, migrate


def metadata_of(service: str) -> MetaData:
    metadata: MetaData = import_module(f"dealreg_{service}.tables").metadata
    return metadata


def differences(conn: Connection, metadata: MetaData) -> list[Any]:
    """What the database lacks or has too much of, compared with ``metadata``."""
    context = MigrationContext.configure(
        conn, opts={"compare_type": True, "compare_server_default": True}
    )
    return list(compare_metadata(context, metadata))


def shape(conn: Connection) -> dict[str, Any]:
    """Every table with its columns, keys and indexes, as the database itself tells it."""
    found = inspect(conn)  # asked for all tables at once: PostgreSQL is slow to tell of each
    columns, primary = found.get_multi_columns(), found.get_multi_pk_constraint()
    foreign, unique = found.get_multi_foreign_keys(), found.get_multi_unique_constraints()
    checks, indexes = found.get_multi_check_constraints(), found.get_multi_indexes()
    return {
        table: {
            "columns": sorted(
                (column["name"], str(column["type"]), column["nullable"])
                for column in columns[None, table]
            ),
            "primary key": primary[None, table]["constrained_columns"],
            "foreign keys": sorted(_plain(key) for key in foreign[None, table]),
            "unique": sorted(_plain(key) for key in unique[None, table]),
            "checks": sorted(_plain(key) for key in checks[None, table]),
            "indexes": sorted(_plain(index) for index in indexes[None, table]),
        }
        for table in sorted(found.get_table_names())
        if table != "alembic_version"
    }


def _plain(part: Any) -> str:
    """A part of a table as text: expressions as their SQL, not as objects with an address."""
    if isinstance(part, dict):
        return str({name: _plain(value) for name, value in sorted(part.items())})
    return str(part)


class MigrationContract:
    """``service`` is set by the subclass or a parametrised fixture."""

    @pytest.fixture
    def package(self, service: str) -> str:
        return f"dealreg_{service}"

    @pytest.fixture
    async def empty(self, database_url: str) -> AsyncIterator[Database]:
        database = Database(database_url)
        yield database
        await database.dispose()

    async def test_the_migrations_make_the_tables_of_the_code(
        self, empty: Database, service: str, package: str
    ) -> None:
        await migrate(empty, package)
        assert await empty.read(lambda conn: differences(conn, metadata_of(service))) == []

    async def test_up_down_and_up_again_gives_the_same(self, empty: Database, package: str) -> None:
        await migrate(empty, package)
        first = await empty.read(shape)
        await downgrade(empty, package)
        assert await empty.read(shape) == {}
        await migrate(empty, package)
        assert await empty.read(shape) == first

    async def test_every_revision_goes_up_down_and_up(self, empty: Database, package: str) -> None:
        revisions = [
            script.revision
            for script in ScriptDirectory.from_config(alembic_config(package)).walk_revisions()
        ][::-1]
        assert revisions
        before: dict[str, Any] = {}
        for revision in revisions:
            await migrate(empty, package, revision)
            after = await empty.read(shape)
            await downgrade(empty, package, "-1")
            assert await empty.read(shape) == before
            await migrate(empty, package, revision)
            assert await empty.read(shape) == after
            before = after

    async def test_migrating_twice_changes_nothing(self, empty: Database, package: str) -> None:
        await migrate(empty, package)
        first = await empty.read(shape)
        await migrate(empty, package)
        assert await empty.read(shape) == first

    async def test_processes_that_start_together_take_turns(
        self, database_url: str, package: str
    ) -> None:
        databases = [Database(database_url) for _ in range(3)]
        try:
            await asyncio.gather(*(migrate(database, package) for database in databases))
            assert await databases[0].read(shape) != {}
        finally:
            for database in databases:
                await database.dispose()

    async def test_the_database_has_a_clock(self, empty: Database, package: str) -> None:
        await migrate(empty, package)

        def twice(conn: Connection) -> bool:
            return app_now(conn) < app_now(conn)

        assert await empty.read(twice)  # it moves on within a transaction

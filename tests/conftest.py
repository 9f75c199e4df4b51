"""Fixtures for every suite."""

import gc
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import make_url

from dealreg.demo.throwaway import in_memory
from dealreg_devstack import Postgres
from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.db import Database
from dealreg_shared.db.migrate import make_clock

pytest_plugins = ["tests.chromium_fixtures", "tests.devstack_fixtures"]

# No test asserts speed: a busy machine is no fault.
settings.register_profile("dealreg", deadline=None)
settings.load_profile("dealreg")

_EMPTIED = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid();
DROP SCHEMA public CASCADE;
CREATE SCHEMA public AUTHORIZATION pg_database_owner;
"""
"""The public schema as PostgreSQL makes it in a new database (but for what others may see there)."""


def pytest_configure() -> None:
    """Put `tmp_path` into memory where there is room for it, unless somebody says otherwise.

    On a disk, tests on SQLite mostly wait for the fsync of each commit, and no test cuts the power: a
    killed process loses nothing of either. The collector is called as rarely as in a serving process:
    else it takes a ninth of the processor's time.
    """
    gc.set_threshold(20_000, 10, 10)
    if (place := in_memory()) is not None:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(place))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.devstack)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a new, empty database, of both kinds in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/test.db"
        return
    server, url = request.getfixturevalue("postgres_database")
    yield url
    server.sql(_EMPTIED, database=make_url(url).database)


@pytest.fixture(scope="session")
def postgres_database(postgres_server: Postgres) -> tuple[Postgres, str]:
    """A database for one test after the other, emptied in between, as a new one for each takes longer
    than most of them; and its address."""
    name = f"test_{secrets.token_hex(6)}"
    return postgres_server, postgres_server.create_database(name, name)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A new, empty database with its clock; make tables with ``write(metadata.create_all)``."""
    database = Database(database_url)
    if database.dialect == "postgresql":
        await database.write(make_clock)
    yield database
    await database.dispose()


@pytest.fixture
async def embedded_bus(tmp_path: Path) -> AsyncIterator[EmbeddedBus]:
    """A new, empty embedded bus."""
    bus = EmbeddedBus(tmp_path / "bus.db")
    yield bus
    await bus.close()

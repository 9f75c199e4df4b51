"""Fixtures for every suite."""

import gc
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.db import Database
from dealreg_shared.db.migrate import make_clock

pytest_plugins = ["tests.chromium_fixtures", "tests.devstack_fixtures"]

# No test asserts speed: a busy machine is no fault.
settings.register_profile("dealreg", deadline=None)
settings.load_profile("dealreg")

MEMORY = Path("/dev/shm")  # noqa: S108 -- pytest makes a folder there for this user alone
ROOM = 2 * 1024**3


def pytest_configure() -> None:
    """Put `tmp_path` into memory where there is room for it, unless somebody says otherwise.

    On a disk, tests on SQLite mostly wait for the fsync of each commit, and no test cuts the power: a
    killed process loses nothing of either. The collector is called as rarely as in a serving process:
    else it takes a ninth of the processor's time.
    """
    gc.set_threshold(20_000, 10, 10)
    if os.access(MEMORY, os.W_OK):
        free = os.statvfs(MEMORY)
        if free.f_bavail * free.f_frsize >= ROOM:
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.devstack)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a new, empty database, of both kinds in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/test.db"
        return
    server = request.getfixturevalue("postgres_server")
    name = f"test_{secrets.token_hex(6)}"
    yield server.create_database(name, name)
    server.drop_database(name, name)


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

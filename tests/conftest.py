"""Fixtures for every suite."""

import secrets
from collections.abc import AsyncIterator
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


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a new, empty database, of both kinds in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/test.db"
    name = f"test_{secrets.token_hex(6)}"
    url: str = request.getfixturevalue("postgres_server").create_database(name, name)
    return url


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

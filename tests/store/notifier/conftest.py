"""Notifier's database, empty and with a plan and its people, of both kinds."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.factories.notifier import Events
from tests.factories.notifier_store import Store, plan_and_people, store_of


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.devstack)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """With two connections to it, as two processes have them."""
    async with store_of(request, tmp_path) as made:
        yield made


@pytest.fixture
async def ready(database: Store) -> tuple[Store, Events]:
    """With plan 1 and its people; and who makes further events."""
    events = Events(database.clock)
    await plan_and_people(database, events)
    return database, events

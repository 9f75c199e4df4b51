"""The service under test, on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.factories.migrated import postgres_url
from tests.factories.registration_service import RegistrationApi, registration_api


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[RegistrationApi]:
    """On SQLite, with a clock that the test moves."""
    async with registration_api(tmp_path) as api:
        yield api


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.devstack)])
async def any_api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RegistrationApi]:
    """On each database; PostgreSQL runs on its own clock."""
    if request.param == "sqlite":
        async with registration_api(tmp_path) as api:
            yield api
        return
    server = request.getfixturevalue("postgres_server")
    async with (
        postgres_url(server, "registration") as url,
        registration_api(tmp_path, url) as api,
    ):
        yield api

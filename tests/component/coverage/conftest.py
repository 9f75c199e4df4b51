"""A coverage service on a database and an embedded bus, with a clock that the test moves."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from dealreg_coverage.app import build
from dealreg_coverage.settings import CoverageSettings
from dealreg_devstack import Postgres
from dealreg_shared.auth import keys
from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.bus.port import Bus, Message
from dealreg_shared.contracts.catalogue import COVERAGE, decode, encode, topic_of
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.runtime import Service
from tests.factories.clocks import stand_at
from tests.factories.coverage import PROGRAMME, START, Log
from tests.factories.migrated import migrated, postgres_url

NOW = START + timedelta(days=100)


@dataclass
class House:
    """Publishes a log's events, moves the clock, calls the API."""

    service: Service
    bus: Bus
    http: httpx.AsyncClient
    log: Log = field(default_factory=Log)
    now: datetime = NOW
    _published: int = 0

    async def move_to(self, now: datetime) -> None:
        """Set the business clock."""
        self.now = now
        await stand_at(self.service.database, now)

    async def settle(self) -> None:
        """Publish what the log has gained, and let the service read it and tell what follows."""
        await self.publish(self.log.events[self._published :])
        self._published = len(self.log.events)
        while await self.service.drain():
            pass

    async def publish(self, events: Sequence[Event[Any]]) -> None:
        await self.bus.publish(
            [Message(topic_of(e.type), e.partitionkey, encode(e)) for e in events]
        )

    async def key(self, role: Any, partner_id: str | None = None) -> dict[str, str]:
        """Headers with a new key, which travels as registration would send it."""
        key_id, secret, key_hash = keys.new_key()
        self.log.key(key_id, key_hash, role, partner_id)
        await self.settle()
        return {"authorization": f"Bearer {secret}"}

    async def get(self, path: str, headers: dict[str, str]) -> Any:
        answer = await self.http.get(f"/v1/coverage/{path}", headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def told(self) -> list[Event[Any]]:
        """Everything that coverage has published, in order."""
        async with self.bus.subscribe(f"test-{uuid4().hex}", [COVERAGE]) as subscription:
            events = []
            while await subscription.lag():
                deliveries = await subscription.fetch(1000, 1.0)
                events += [decode(d.message.value or b"") for d in deliveries]
                await subscription.commit([d.position for d in deliveries])
            return events


@asynccontextmanager
async def open_house(folder: Path, bus: Bus, postgres: Postgres | None) -> AsyncIterator[House]:
    """A service on its own database, SQLite or PostgreSQL. Closes the bus at the end."""
    async with AsyncExitStack() as stack:
        stack.push_async_callback(bus.close)
        url = None
        if postgres is not None:
            url = await stack.enter_async_context(postgres_url(postgres, "coverage"))
        settings = CoverageSettings(
            programme=PROGRAMME, data_dir=folder, coverage_database_url=url, key_cache_seconds=0
        )
        made: list[House] = []
        service = build(settings, bus=bus, now=lambda: made[0].now if made else NOW)
        await migrated(service.database, service.name)
        await stack.enter_async_context(service.open())
        transport = httpx.ASGITransport(app=service.app)
        http = httpx.AsyncClient(transport=transport, base_url="http://coverage")
        await stack.enter_async_context(http)
        made.append(House(service, bus, http))
        await made[0].move_to(NOW)
        yield made[0]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.devstack)])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """A house with nothing in it yet."""
    postgres = None
    if request.param == "postgresql":
        postgres = request.getfixturevalue("postgres_server")
    async with open_house(tmp_path, EmbeddedBus(tmp_path / "bus.db"), postgres) as made:
        yield made


@pytest.fixture
async def planned(house: House) -> House:
    """The house with the small plan of ``tests.factories.coverage`` in force."""
    house.log.plan()
    await house.settle()
    return house

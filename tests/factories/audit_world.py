"""A whole installation in one process with its auditor; time and every step in the test's hand."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection, text

from dealreg.all_in_one import build_all
from dealreg.auditor.app import build as build_auditor
from dealreg.auditor.auditor import Auditor
from dealreg.auditor.log_book import LogBook
from dealreg.auditor.report import AuditHealth
from dealreg.auditor.settings import AuditorSettings
from dealreg.settings import all_settings
from dealreg_shared.bus.port import Bus
from dealreg_shared.runtime import Service

PARTNERS = ("acme", "techstart")

PLAN: dict[str, Any] = {
    "schema": "dealreg.plan/1",
    "programme": {"name": "Audited", "time_zone": "UTC", "currency": "USD"},
    "regions": [{"id": "na", "name": "North America", "countries": ["US"]}],
    "segments": [{"id": "all", "name": "All", "employees_from": 1}],
    "product_lines": [{"id": "platform", "name": "Platform"}],
    "tiers": [{"id": "gold", "name": "Gold", "rank": 1}],
    "partners": [
        {"id": name, "name": name.title(), "tier": "gold", "certified": ["platform"]}
        for name in PARTNERS
    ],
    "territories": [{"id": "us", "name": "US", "match": {"countries": ["US"]}}],
    "assignments": [
        {"id": f"us-{name}", "territory": "us", "partner": name, "role": "secondary"}
        for name in PARTNERS
    ],
    "people": [
        {"id": role, "roles": [role], "name": role, "email": f"{role}@people.example"}
        for role in ("partner_manager", "vp", "ceo")
    ],
}


@dataclass
class Seconds:
    """A monotonic clock in the test's hand."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class AuditWorld:
    """``services`` by name. Nothing moves unless the test says so."""

    services: Mapping[str, Service]
    service: Service
    http: httpx.AsyncClient
    ahead: timedelta = timedelta()
    seconds: Seconds = field(default_factory=Seconds)
    keys: dict[str, str] = field(default_factory=dict)
    filings: int = 0

    @property
    def auditor(self) -> Auditor:
        found: Auditor = self.service.extras["auditor"]
        return found

    @property
    def log(self) -> LogBook:
        found: LogBook = self.service.extras["log"]
        return found

    @property
    def dialect(self) -> str:
        return self.services["registration"].database.dialect

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    async def settle(self) -> None:
        """Until nothing moves."""
        for _ in range(3):
            for service in self.services.values():
                await service.tick()
            while sum([await service.drain() for service in self.services.values()]):
                pass
        for service in self.services.values():
            assert service.pulse is not None
            await service.pulse.beat()

    async def travel(self, **elapsed: float) -> None:
        """Put business time on, in every service."""
        self.ahead += timedelta(**elapsed)
        moved = (
            "CREATE OR REPLACE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS "
            f"$$SELECT clock_timestamp() + interval '{self.ahead.total_seconds()} seconds'$$"
        )
        for service in self.services.values():
            if service.database.dialect == "postgresql":
                await service.database.write(lambda conn: conn.exec_driver_sql(moved))

    async def audit(self) -> AuditHealth:
        """One whole pass."""
        await self.log.drain()
        await self.auditor.books()
        await self.auditor.watch()
        return self.auditor.health()

    async def file(self, who: str, account: str, **changes: Any) -> dict[str, Any]:
        """File a deal over HTTP; the answer."""
        self.filings += 1
        body = {
            "account": {"name": account, "domain": f"{account}.com", "country": "US"},
            "product_lines": ["platform"],
            "amount": {"amount": "25000.00", "currency": "USD"},
            "close_date": "2040-12-31",
        } | changes
        headers = self.headers(who) | {"idempotency-key": f"filing-{self.filings}"}
        answer = await self.http.post("/v1/registrations", json=body, headers=headers)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        view: dict[str, Any] = answer.json()
        return view

    def headers(self, who: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.keys[who]}"}

    async def plant(self, service: str, work: Callable[[Connection], Any]) -> Any:
        """Change a service's database behind its back."""
        return await self.services[service].database.write(work)

    async def sql(self, service: str, statement: str, **values: Any) -> list[Any]:
        """A statement behind the service's back; its rows, if it gives any."""

        def work(conn: Connection) -> list[Any]:
            result = conn.execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []

        found: list[Any] = await self.plant(service, work)
        return found

    async def one(self, service: str, statement: str, **values: Any) -> Any:
        """The single value of a query."""
        [(value,)] = await self.sql(service, statement, **values)
        return value


@asynccontextmanager
async def audit_world(
    folder: Path,
    bus: Bus,
    urls: Mapping[str, str] | None = None,
    keys: Mapping[str, str] | None = None,
    services: Mapping[str, Any] | None = None,
    **auditor: Any,
) -> AsyncIterator[AuditWorld]:
    """Migrated, a plan published, keys made; nothing is wrong. ``bus`` is closed by the caller.

    ``services``: further settings of theirs; ``auditor``: of the auditor. ``keys``: of an installation
    that was there before, of which this is the next start.
    """
    world: list[AuditWorld] = []
    began = datetime.now(UTC)

    def now() -> datetime:
        return datetime.now(UTC) + (world[0].ahead if world else began - began)

    given = {f"{name}_database_url": url for name, url in (urls or {}).items()}
    settings = all_settings(data_dir=folder, key_cache_seconds=0, **given, **(services or {}))
    built = build_all(settings, now, bus)
    by_name = {service.name: service for service in built}
    seconds = Seconds()
    service = build_auditor(
        AuditorSettings(data_dir=folder, **auditor), settings, bus=bus, now=now, clock=seconds
    )
    async with AsyncExitStack() as stack:
        for each in (*built, service):
            await each.migrate()
        built[0].stop = _nothing  # the caller closes the bus
        for each in (*built, service):
            await stack.enter_async_context(each.open())
        http = await stack.enter_async_context(
            httpx.AsyncClient(
                transport=httpx.ASGITransport(built[0].app), base_url="http://registration"
            )
        )
        made = AuditWorld(by_name, service, http, seconds=seconds)
        world.append(made)
        if keys is None:
            await _seed(made)
        else:
            made.keys |= keys
            for name in by_name:  # the former start's relays did not stop as in earnest
                await made.sql(name, "DELETE FROM outbox_lease")
        for each in built:
            assert each.pulse is not None
            await each.pulse.declare(each.parts)
        await made.settle()
        yield made


async def _seed(made: AuditWorld) -> None:
    """Publish the plan and make keys."""
    made.keys["admin"] = await made.services["registration"].extras["ensure_admin_key"]()
    answer = await made.http.post("/v1/plans", json=PLAN, headers=made.headers("admin"))
    assert answer.status_code == httpx.codes.CREATED, answer.text
    for name in PARTNERS:
        answer = await made.http.post(
            "/v1/keys", json={"role": "partner", "partner_id": name}, headers=made.headers("admin")
        )
        made.keys[name] = answer.json()["key"]


async def _nothing() -> None:
    """Stops nothing."""

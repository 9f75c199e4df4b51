"""A registration service with a published plan and keys, for tests over HTTP."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection, func, insert, select, update

from dealreg_registration import tables
from dealreg_registration.app import build
from dealreg_registration.plan_content import canonical_text, content_of
from dealreg_registration.settings import RegistrationSettings
from dealreg_shared.auth import keys
from dealreg_shared.auth.access import put_access
from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.contracts.catalogue import LOG, decode, encode
from dealreg_shared.contracts.people import AccessKeyUpdated, Role
from dealreg_shared.contracts.plan_document import PlanDocument
from dealreg_shared.db import Database
from dealreg_shared.receipts import Signer
from dealreg_shared.runtime import Service
from tests.factories.migrated import migrated

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

PLAN: dict[str, Any] = {
    "schema": "dealreg.plan/1",
    "programme": {"name": "Test", "time_zone": "UTC", "currency": "USD"},
    "regions": [
        {"id": "na", "name": "North America", "countries": ["US"]},
        {"id": "emea", "name": "EMEA", "countries": ["DE", "FR"]},
    ],
    "segments": [
        {"id": "smb", "name": "SMB", "employees_from": 1, "employees_to": 100},
        {"id": "mid", "name": "Mid-market", "employees_from": 101, "employees_to": 499},
        {"id": "enterprise", "name": "Enterprise", "employees_from": 500},
    ],
    "product_lines": [
        {"id": "platform", "name": "Platform", "skus": ["PLT-1"]},
        {"id": "backup", "name": "Backup"},
    ],
    "tiers": [{"id": "gold", "name": "Gold", "rank": 1}],
    "partners": [
        {"id": id_, "name": id_.title(), "tier": "gold", "certified": ["platform"]}
        for id_ in ("acme", "techstart", "globalsys", "fourth")
    ],
    "territories": [
        {"id": "us", "name": "United States", "match": {"countries": ["US"]}},
        {"id": "de", "name": "Germany", "match": {"countries": ["DE"]}},
        {"id": "fr-smb", "name": "France SMB", "match": {"countries": ["FR"], "segments": ["smb"]}},
    ],
    "assignments": [
        {"id": "us-acme", "territory": "us", "partner": "acme"},
        {"id": "us-tech", "territory": "us", "partner": "techstart", "role": "secondary"},
        {"id": "us-four", "territory": "us", "partner": "fourth", "role": "secondary"},
        {"id": "de-glob", "territory": "de", "partner": "globalsys"},
        {"id": "fr-glob", "territory": "fr-smb", "partner": "globalsys"},
    ],
    "people": [
        {"id": "manager", "roles": ["partner_manager"]},
        {"id": "vp", "roles": ["vp"]},
        {"id": "ceo", "roles": ["ceo"]},
        {"id": "reviewer", "roles": ["reviewer"]},
    ],
}


SIGNER = Signer(bytes(range(32)))
"""For writers that a test makes itself."""


class Clock:
    """The service's clock on SQLite, moved by hand."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **elapsed: float) -> None:
        self.now += timedelta(**elapsed)


class RegistrationApi:
    """The service over HTTP, as each caller."""

    def __init__(self, service: Service, client: httpx.AsyncClient, clock: Clock) -> None:
        self.service = service
        self.client = client
        self.clock = clock
        self.database: Database = service.database
        self.secrets: dict[str, str] = {}
        self._count = 0
        self._travelled = timedelta()

    def headers(self, who: str, **more: str) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in more.items()}
        return {"authorization": f"Bearer {self.secrets[who]}"} | named

    async def file(self, who: str, key: str | None = None, **changes: Any) -> httpx.Response:
        self._count += 1
        return await self.client.post(
            "/v1/registrations",
            headers=self.headers(who, idempotency_key=key or f"key-{self._count}"),
            json=deal(**changes),
        )

    async def filed(self, who: str, **changes: Any) -> dict[str, Any]:
        answer = await self.file(who, **changes)
        assert answer.status_code == 201, answer.text
        view: dict[str, Any] = answer.json()
        return view

    async def get(self, who: str, path: str) -> httpx.Response:
        return await self.client.get(path, headers=self.headers(who))

    async def act(self, who: str, registration_id: str, act: str, **body: Any) -> httpx.Response:
        return await self.client.post(
            f"/v1/registrations/{registration_id}/{act}",
            headers=self.headers(who),
            json=body or None,
        )

    async def travel(self, **elapsed: float) -> None:
        """Move the service's time on, on either database."""
        if self.database.dialect == "sqlite":
            self.clock.advance(**elapsed)
            return
        self._travelled += timedelta(**elapsed)
        await self.database.write(
            lambda conn: (
                conn.exec_driver_sql(
                    "CREATE OR REPLACE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT"
                    f" clock_timestamp() + interval '{self._travelled.total_seconds()} seconds' $$"
                )
                and None
            )
        )

    async def count(self, name: str) -> int:
        table = tables.metadata.tables[name]
        query = select(func.count()).select_from(table)
        return int(await self.database.read(lambda conn: conn.execute(query).scalar_one()))

    async def events(self) -> list[dict[str, Any]]:
        """The events written so far, in order of the outbox, without those of the log's growth."""
        outbox = tables.outbox.outbox
        query = select(outbox.c.body).where(outbox.c.topic != LOG).order_by(outbox.c.id)
        bodies = await self.database.read(lambda conn: conn.execute(query).scalars().all())
        for body in bodies:  # some are written without their model: it must write the same
            assert encode(decode(body.encode())).decode() == body
        return [json.loads(body) for body in bodies]


def deal(**changes: Any) -> dict[str, Any]:
    """A filing's body; ``account`` is merged, the rest replaced."""
    body: dict[str, Any] = {
        "account": {"name": "Customer Inc", "domain": "customer.com", "country": "US"},
        "product_lines": ["platform"],
        "amount": {"amount": "25000.00", "currency": "USD"},
        "close_date": "2030-12-31",
    }
    account = body["account"] | changes.pop("account", {})
    return body | changes | {"account": account}


def seed(
    secrets: dict[str, str], plan: dict[str, Any], in_force_from: datetime
) -> Callable[[Connection], None]:
    """Publishes ``plan`` and makes a key for each partner in it, each staff role, and each person;
    ``deputy`` is somebody without a part."""
    callers: dict[str, tuple[Role, str | None]] = {
        partner["id"]: ("partner", partner["id"]) for partner in plan["partners"]
    }
    staff: list[Role] = ["partner_manager", "vp", "ceo", "reviewer", "admin", "auditor"]
    callers |= {role: (role, None) for role in staff}
    persons = {
        person["id"]: next(role for role in staff if role in person["roles"])
        for person in plan.get("people", ())
        if set(person["roles"]) & set(staff)
    }
    persons["deputy"] = "partner_manager"
    callers |= {person_id: (role, None) for person_id, role in persons.items()}

    def work(conn: Connection) -> None:
        publish(conn, plan, 1, in_force_from)
        conn.execute(
            insert(tables.person),
            [
                {"id": id_, "name": f"{id_.title()} Doe", "roles": [], "manages": []}
                | {"updated_at": in_force_from}
                for id_ in (*(person["id"] for person in plan.get("people", ())), "deputy")
            ],
        )
        for who, (role, partner_id) in callers.items():
            key_id, secrets[who], key_hash = keys.new_key()
            put_access(
                conn,
                AccessKeyUpdated(
                    key_id=key_id,
                    key_hash=key_hash,
                    role=role,
                    partner_id=partner_id,
                    person_id=who if who in persons else None,
                    expires_at=datetime(2100, 1, 1, tzinfo=UTC),
                    requests_per_minute=1_000_000,
                ),
            )

    return work


def publish(conn: Connection, plan: dict[str, Any], number: int, in_force_from: datetime) -> None:
    conn.execute(
        insert(tables.plan).values(
            number=number,
            in_force_from=in_force_from,
            published_at=in_force_from,
            published_by="test",
            content_hash="0" * 64,
            parts=1,
            document=canonical_text(content_of(PlanDocument.model_validate_json(json.dumps(plan)))),
        )
    )
    state = tables.programme_state
    conn.execute(update(state).values(version=state.c.version + 1, last_plan_number=number))


@asynccontextmanager
async def registration_api(
    folder: Path, url: str | None = None, plan: dict[str, Any] | None = None
) -> AsyncIterator[RegistrationApi]:
    """A migrated and seeded service; on PostgreSQL it runs on the wall clock."""
    settings = RegistrationSettings(
        data_dir=folder, registration_database_url=url, key_cache_seconds=300
    )
    bus = EmbeddedBus(folder / "bus.db")
    clock = Clock()
    service = build(settings, bus=bus, now=clock)
    await migrated(service.database, service.name)
    transport = httpx.ASGITransport(service.app)
    async with (
        service.open(),
        httpx.AsyncClient(transport=transport, base_url="http://registration") as client,
    ):
        api = RegistrationApi(service, client, clock)
        await service.database.write(seed(api.secrets, plan or PLAN, START - timedelta(days=365)))
        yield api
    await bus.close()

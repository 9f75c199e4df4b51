"""Registration and notifier in one process over the embedded bus, on one clock that the test moves.

Whoever acts does so over HTTP; what people are told is read from notifier's own table.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection, select

from dealreg_notifier import tables as notifier_tables
from dealreg_notifier.app import build as build_notifier
from dealreg_notifier.settings import NotifierSettings
from dealreg_registration.app import build as build_registration
from dealreg_registration.settings import RegistrationSettings
from dealreg_shared.auth import keys
from dealreg_shared.auth.access import put_access
from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.contracts.catalogue import ESCALATION, decode
from dealreg_shared.contracts.people import AccessKeyUpdated, Role
from dealreg_shared.ids import new_event_id
from dealreg_shared.runtime import Service
from tests.factories.migrated import migrated
from tests.factories.registration_service import PLAN, START, Clock, deal

PEOPLE: dict[str, Role] = {
    "manager": "partner_manager",
    "dana": "partner_manager",
    "vp": "vp",
    "ceo": "ceo",
}
PARTNERS = ("acme", "techstart", "fourth")


def plan_with(ladder: Mapping[str, Any] | None = None, **policy: Any) -> dict[str, Any]:
    """The tests' plan with people who can be written to, and this ladder."""
    plan = deepcopy(PLAN)
    plan["people"] = [
        {
            "id": id_,
            "roles": [role],
            "name": id_.title(),
            "email": f"{id_}@example.com",
            **({"manages": ["emea"]} if id_ == "dana" else {}),
        }
        for id_, role in PEOPLE.items()
    ]
    plan["policy"] = {"ladder": dict(ladder or {}), **policy}
    return plan


@dataclass(slots=True)
class LadderWorld:
    """Both services. ``down`` ones neither move messages nor tick."""

    registration: Service
    notifier: Service
    http: httpx.AsyncClient
    clock: Clock
    bus: EmbeddedBus
    secrets: dict[str, str]
    down: set[str] = field(default_factory=set)
    count: int = 0

    async def settle(self) -> None:
        """Until nothing moves on those that are up: messages and what time makes due."""
        up = [s for s in (self.registration, self.notifier) if s.name not in self.down]
        for _ in range(2):
            while sum([await service.drain() for service in up]):
                pass
            for service in up:
                await service.tick()
        while sum([await service.drain() for service in up]):
            pass

    async def to(self, offset: timedelta) -> None:
        """``offset`` after the start, and nothing moves yet."""
        self.clock.now = START + offset
        for database in (self.registration.database, self.notifier.database):
            if database.dialect == "postgresql":
                await database.write(self._set_clock)

    def _set_clock(self, conn: Connection) -> None:
        conn.exec_driver_sql(
            "CREATE OR REPLACE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql VOLATILE "
            f"AS $$ SELECT timestamptz '{format_instant(self.clock.now)}' $$"
        )

    async def at(self, offset: timedelta) -> None:
        """``offset`` after the start; then let happen what is due."""
        await self.to(offset)
        await self.settle()

    async def call(
        self, method: str, who: str, path: str, json: Any = None, **headers: str
    ) -> httpx.Response:
        self.count += 1
        sent = {"authorization": f"Bearer {self.secrets[who]}"}
        if method == "POST":
            sent["idempotency-key"] = f"key-{self.count}"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.request(method, path, json=json, headers=sent)

    async def publish(self, plan: Mapping[str, Any]) -> None:
        answer = await self.call("POST", "admin", "/v1/plans", dict(plan))
        assert answer.status_code == 201, answer.text
        await self.settle()

    async def file(self, partner: str, **changes: Any) -> dict[str, Any]:
        answer = await self.call("POST", partner, "/v1/registrations", deal(**changes))
        assert answer.status_code == 201, answer.text
        view: dict[str, Any] = answer.json()
        return view

    async def conflict(self) -> str:
        """Two partners register the same deal: the id of the case."""
        await self.file("acme")
        await self.file("techstart")
        await self.settle()
        (case,) = (await self.call("GET", "manager", "/v1/conflicts")).json()["items"]
        id_: str = case["id"]
        return id_

    async def case(self, conflict_id: str) -> dict[str, Any]:
        answer = await self.call("GET", "manager", f"/v1/conflicts/{conflict_id}")
        assert answer.status_code == 200, answer.text
        view: dict[str, Any] = answer.json()
        return view

    async def act(
        self, who: str, conflict_id: str, act: str, *, seen: str = "*", **body: Any
    ) -> httpx.Response:
        """take, review, decide, comment, request-info; answered, but not yet told to anybody."""
        path = f"/v1/conflicts/{conflict_id}/{act}"
        return await self.call("POST", who, path, body or None, if_match=seen)

    async def uphold(self, who: str, conflict_id: str) -> httpx.Response:
        return await self.act(
            who, conflict_id, "decide", ruling="uphold_first", reason="The first came first."
        )

    async def told(self, recipient: str) -> list[tuple[str, str, str]]:
        """(kind, title, text) of a person's notices, the oldest first."""
        table = notifier_tables.notification
        query = (
            select(table.c.kind, table.c.title, table.c.text)
            .where(table.c.recipient == recipient)
            .order_by(table.c.created_at, table.c.notification_id)
        )
        rows = await self.notifier.database.read(lambda conn: conn.execute(query).all())
        return [(row.kind, row.title, row.text) for row in rows]

    async def kinds(self, recipient: str) -> list[str]:
        return [kind for kind, _, _ in await self.told(recipient)]

    async def ladder(self) -> list[tuple[Any, ...]]:
        """What notifier published: (word, level), and for the end the levels that missed theirs."""
        async with self.bus.subscribe(f"test-{new_event_id()}", [ESCALATION]) as subscription:
            found = await subscription.fetch(1_000, 0)
        events = [decode(delivery.message.value or b"") for delivery in found]
        return [
            (word, event.data.level, *([event.data.breached_levels] if word == "ended" else []))
            for event in events
            for word in [event.type.split(".")[2]]
        ]


@asynccontextmanager
async def ladder_world(
    folder: Path,
    ladder: Mapping[str, Any] | None = None,
    urls: tuple[str | None, str | None] = (None, None),
    **policy: Any,
) -> AsyncIterator[LadderWorld]:
    """A plan is published, everybody has a key, and nothing has happened yet. ``urls`` are the databases
    of registration and notifier, SQLite files unless given."""
    bus, clock = EmbeddedBus(folder / "bus.db"), Clock()
    registration = build_registration(
        RegistrationSettings(
            data_dir=folder, key_cache_seconds=0, registration_database_url=urls[0]
        ),
        bus=bus,
        now=clock,
    )
    notifier = build_notifier(
        NotifierSettings(data_dir=folder, key_cache_seconds=0, notifier_database_url=urls[1]),
        bus=bus,
        now=clock,
    )
    secrets: dict[str, str] = {}
    transport = httpx.ASGITransport(registration.app)
    await migrated(registration.database, registration.name)
    await migrated(notifier.database, notifier.name)
    try:
        async with (
            registration.open(),
            notifier.open(),
            httpx.AsyncClient(transport=transport, base_url="http://registration") as http,
        ):
            await registration.database.write(lambda conn: _keys(conn, secrets))
            world = LadderWorld(registration, notifier, http, clock, bus, secrets)
            await world.to(timedelta())
            await world.publish(plan_with(ladder, **policy))
            yield world
    finally:
        await bus.close()


def _keys(conn: Connection, secrets: dict[str, str]) -> None:
    callers: list[tuple[str, Role, str | None, str | None]] = [
        ("admin", "admin", None, None),
        *((id_, "partner", id_, None) for id_ in PARTNERS),
        *((id_, role, None, id_) for id_, role in PEOPLE.items()),
    ]
    for who, role, partner_id, person_id in callers:
        key_id, secrets[who], key_hash = keys.new_key()
        put_access(
            conn,
            AccessKeyUpdated(
                key_id=key_id,
                key_hash=key_hash,
                role=role,
                partner_id=partner_id,
                person_id=person_id,
                expires_at=datetime(2100, 1, 1, tzinfo=UTC),
                requests_per_minute=1_000_000,
            ),
        )

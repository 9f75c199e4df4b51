"""The programme's API alone: plans, partners, people and keys, without the account writer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select

from dealreg_registration import tables
from dealreg_registration.api import errors
from dealreg_registration.api.plans import LARGER_BODIES
from dealreg_registration.api.programme import programme_routers
from dealreg_registration.api.programme_parts import ProgrammeParts
from dealreg_registration.handlers.manage_keys import ensure_admin_key
from dealreg_shared.auth import Authenticator
from dealreg_shared.contracts.catalogue import decode
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.db import Database
from dealreg_shared.db.engine import utc_now
from dealreg_shared.outbox import Outbox
from dealreg_shared.web.app import new_app
from tests.factories.migrated import migrated

START = datetime(2027, 1, 4, 9, tzinfo=UTC)


@dataclass
class ProgrammeApi:
    """The API over HTTP. ``now`` is the business clock on SQLite; ``commits`` counts commits told."""

    database: Database
    now: datetime = START
    commits: int = 0
    http: httpx.AsyncClient = field(default_factory=httpx.AsyncClient)
    keys: dict[str, str] = field(default_factory=dict)

    async def call(self, method: str, path: str, who: str = "admin", **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.keys[who]}"} | more.pop("headers", {})
        return await self.http.request(method, path, headers=headers, **more)

    async def get(self, path: str, who: str = "admin") -> Any:
        answer = await self.call("GET", path, who)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def publish(self, plan: dict[str, Any], **query: str) -> dict[str, Any]:
        answer = await self.call("POST", "/v1/plans", json=plan, params=query)
        assert answer.status_code == 201, answer.text
        view: dict[str, Any] = answer.json()
        return view

    async def key(self, who: str, role: str, **more: Any) -> dict[str, Any]:
        """Make a key over HTTP and remember its secret as ``who``."""
        answer = await self.call("POST", "/v1/keys", json={"role": role} | more)
        assert answer.status_code == 201, answer.text
        view: dict[str, Any] = answer.json()
        self.keys[who] = view.pop("key")
        return view

    async def events(self) -> list[Event[Any] | None]:
        """What the outbox holds, in order; None for a tombstone."""
        outbox = tables.outbox.outbox
        bodies = await self.database.read(
            lambda conn: conn.execute(select(outbox.c.body).order_by(outbox.c.id)).scalars().all()
        )
        return [None if body is None else decode(body.encode()) for body in bodies]

    async def audit(self) -> list[Any]:
        """All audit rows, in order."""
        return list(
            await self.database.read(
                lambda conn: conn.execute(select(tables.audit).order_by(tables.audit.c.id)).all()
            )
        )


@asynccontextmanager
async def programme_api(folder: Path, url: str | None = None) -> AsyncIterator[ProgrammeApi]:
    """A migrated database with an admin key and nothing else."""
    api: ProgrammeApi
    database = Database(url or f"sqlite:///{folder / 'registration.db'}", now=lambda: api.now)
    api = ProgrammeApi(database)
    await migrated(database, "registration")
    outbox = Outbox(tables.outbox, "/dealreg/registration", "test")
    secret = await database.write(lambda conn: ensure_admin_key(conn, utc_now(), outbox=outbox))
    assert secret is not None
    api.keys["admin"] = secret

    def committed() -> None:
        api.commits += 1

    parts = ProgrammeParts(
        database,
        Authenticator(database, tables.access_key, utc_now),
        outbox,
        "test",
        committed=committed,
    )
    app = new_app("Test", "1", service="registration", larger_bodies=LARGER_BODIES)
    errors.install(app)
    for router in programme_routers(parts):
        app.include_router(router)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as api.http:
        yield api
    await database.dispose()

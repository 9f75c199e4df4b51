"""Notifier on a database of either kind, as two processes see it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, select, text

from dealreg_devstack import Postgres
from dealreg_notifier import tables
from dealreg_notifier.handlers import conflicts, people, plans
from dealreg_notifier.notices import Desk
from dealreg_notifier.wording import Wording
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.contracts.catalogue import decode
from dealreg_shared.contracts.plan import PlanPart, PlanPublished
from dealreg_shared.db import Database
from dealreg_shared.outbox import Outbox
from tests.factories import notifier as make
from tests.factories.migrated import migrated, postgres_url
from tests.factories.notifier import START, Events
from tests.factories.notifier_world import Clock

PACKAGE = "dealreg_notifier"

REFERRAL = {
    "to": "direct",
    "account": "Contoso",
    "lines": ["Platform"],
    "referrals": ["ref_1"],
    "due_at": "2026-03-05T00:00:00.000000Z",
}


class PostgresClock(Clock):
    """Moves the database's own clock: what a transaction reads as ``app_now()``."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database

    async def move(self, at: datetime) -> None:
        self.at = at
        await self._database.write(self._replace)

    def _replace(self, conn: Connection) -> None:
        conn.execute(
            text(
                "CREATE OR REPLACE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql VOLATILE "
                f"AS $$ SELECT timestamptz '{format_instant(self.at)}' $$"
            )
        )


class Store:
    """A migrated database, a second connection pool to it, and its clock."""

    def __init__(self, first: Database, second: Database, clock: Clock) -> None:
        self.first = first
        self.second = second
        self.clock = clock

    async def at(self, at: datetime) -> None:
        if isinstance(self.clock, PostgresClock):
            await self.clock.move(at)
        self.clock.at = at


@asynccontextmanager
async def sqlite_store(folder: Path) -> AsyncIterator[Store]:
    clock = Clock()
    url = f"sqlite:///{folder / f'{uuid4().hex}.db'}"
    first, second = Database(url, now=clock), Database(url, now=clock)
    await migrated(first, "notifier")
    yield Store(first, second, clock)
    await first.dispose()
    await second.dispose()


@asynccontextmanager
async def postgres_store(server: Postgres) -> AsyncIterator[Store]:
    async with postgres_url(server, "notifier") as url:
        first, second = Database(url), Database(url)
        clock = PostgresClock(first)
        await clock.move(START)
        yield Store(first, second, clock)
        await first.dispose()
        await second.dispose()


@asynccontextmanager
async def store_of(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Store]:
    """The store that a fixture's parameter names, for what asks for the fixture ``database``."""
    if request.param == "sqlite":
        async with sqlite_store(folder) as made:
            yield made
        return
    async with postgres_store(request.getfixturevalue("postgres_server")) as made:
        yield made


WORDING = Wording("en")


def desk(**channels: Any) -> Desk:
    return Desk(
        wording=WORDING,
        channels=channels,
        outbox=Outbox(tables.outbox, "/dealreg/notifier", "default"),
    )


def published(conn: Connection) -> list[tuple[str, str, int]]:
    """(type's word, conflict, version) of every event in the outbox, in order."""
    outbox = tables.outbox.outbox
    rows = conn.execute(select(outbox.c.body, outbox.c.key).order_by(outbox.c.id))
    found = []
    for row in rows:
        event = decode(row.body.encode())
        found.append((event.type.split(".")[2], row.key, event.data.level))
    return found


async def plan_and_people(made: Store, publisher: Events) -> None:
    def work(conn: Connection) -> None:
        for part, (section, items) in enumerate(make.plan_sections().items(), start=1):
            data = PlanPart(plan_number=1, part=part, section=section, items=tuple(items))
            plans.plan_part(conn, publisher.event("plan.part", data, "default"), desk())
        manifest = PlanPublished(
            plan_number=1, in_force_from=START, published_at=START, parts=1, content_hash="0" * 64
        )
        plans.plan_published(conn, publisher.event("plan.published", manifest, "default"), desk())
        for person_id, role in (("mia", "partner_manager"), ("vic", "vp"), ("cleo", "ceo")):
            someone = make.person(person_id, role)
            people.person_updated(conn, publisher.event("person.updated", someone, person_id))

    await made.first.write(work)


async def open_cases(made: Store, publisher: Events, count: int, **changes: Any) -> None:
    def work(conn: Connection) -> None:
        opened = [
            make.opened(f"cnf_{number:03}", made.clock.at, **changes) for number in range(count)
        ]
        events = [publisher.event("conflict.opened", data) for data in opened]
        conflicts.conflicts_opened(conn, events, desk())

    await made.first.write(work)

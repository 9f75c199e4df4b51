"""The state follows from the log alone: any order between keys, duplicates, another database."""

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, select, text

from dealreg_coverage import store, tables
from dealreg_coverage.consumers import PROJECTIONS
from dealreg_coverage.domain.picture import CellKey
from dealreg_coverage.domain.plan import MarketId
from dealreg_coverage.domain.quarter import quarter_of
from dealreg_coverage.domain.sums import HandSet, Sums
from dealreg_coverage.handlers.desk import Desk
from dealreg_coverage.handlers.time_passed import time_passed
from dealreg_coverage.plans import PlanIncomplete, PlanShelf
from dealreg_coverage.state import canonical_state
from dealreg_shared.contracts.catalogue import topic_of
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.db import Database
from dealreg_shared.db.migrate import downgrade, migrate
from dealreg_shared.inbox import NotYet
from dealreg_shared.outbox import Outbox
from tests.factories.coverage import START, Log, interleaved, random_log, sections
from tests.factories.migrated import migrated, postgres_url

PACKAGE = "dealreg_coverage"
AT = START + timedelta(days=731)
WEST_SMB = MarketId("west", "smb")


class Clock:
    def __init__(self) -> None:
        self.now = AT

    def __call__(self) -> datetime:
        return self.now


async def sqlite(folder: Path) -> Database:
    database = Database(f"sqlite:///{folder / f'{uuid4().hex}.db'}", now=Clock())
    await migrated(database, "coverage")
    return database


async def postgresql(url: str) -> Database:
    database = Database(url)
    frozen = f"SELECT timestamptz '{AT.isoformat()}'"
    await database.write(
        lambda conn: conn.execute(
            text(
                "CREATE OR REPLACE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql VOLATILE "
                f"AS $$ {frozen} $$"
            )
        )
    )
    return database


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.devstack)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    if request.param == "sqlite":
        made = await sqlite(tmp_path)
        yield made
        await made.dispose()
        return
    async with postgres_url(request.getfixturevalue("postgres_server"), "coverage") as url:
        made = await postgresql(url)
        yield made
        await made.dispose()


def desk() -> Desk:
    return Desk(PlanShelf(), Outbox(tables.OUTBOX, "/dealreg/coverage", "test"))


class Reader:
    """Applies events as the inbox does: each version of a key once, in order, others ignored."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.desk = desk()
        self._last: dict[tuple[str, str], int] = {}

    async def read(self, events: Iterable[Event[Any]], batch: int = 1) -> None:
        waiting: list[Event[Any]] = []
        for event in events:
            waiting.append(event)
            if len(waiting) == batch:
                await self._apply(waiting)
                waiting = []
        await self._apply(waiting)

    async def tick(self) -> bool:
        return await self.database.write(lambda conn: time_passed(self.desk, conn))

    async def state(self, at: datetime = AT) -> bytes:
        return await self.database.read(lambda conn: canonical_state(conn, at))

    async def _apply(self, events: list[Event[Any]]) -> None:
        def work(conn: Connection) -> None:
            for event in events:
                topic = topic_of(event.type)
                last = self._last.get((topic, event.partitionkey), 0)
                handler = PROJECTIONS[topic].get(event.type)
                if event.keyversion == last + 1:
                    self._last[topic, event.partitionkey] = event.keyversion
                    if handler is not None:
                        handler(self.desk, conn, event)

        await self.database.write(work)


def plan_first(events: list[Event[Any]]) -> list[Event[Any]]:
    """Registration events wait for their plan (the inbox does it); here the plan simply comes first."""
    plan = [event for event in events if event.partitionkey == "test"]
    return [*plan, *(event for event in events if event.partitionkey != "test")]


async def told(database: Database) -> list[tuple[str, str]]:
    """Type and subject of every event in the outbox, in order."""
    import json

    def work(conn: Connection) -> list[tuple[str, str]]:
        bodies = conn.execute(
            select(tables.OUTBOX.outbox.c.body).order_by(tables.OUTBOX.outbox.c.id)
        )
        events = [json.loads(body) for (body,) in bodies]
        return [
            (event["type"].removeprefix("dealreg.coverage."), event["subject"]) for event in events
        ]

    return await database.read(work)


@pytest.mark.parametrize("seed", range(4))
async def test_any_order_with_duplicates_gives_the_same_bytes(
    database: Database, tmp_path: Path, seed: int
) -> None:
    log = random_log(seed)
    in_order, shuffled = Reader(database), Reader(await sqlite(tmp_path))
    await in_order.read(log.events, batch=7)
    other_order = list(interleaved(log.events, seed + 100))
    first = [e for e in log.events if e.partitionkey == "test" and "plan" in e.type]
    await shuffled.read([*first, *other_order])
    for reader in (in_order, shuffled):
        await reader.tick()
    one, other = await in_order.state(), await shuffled.state()
    assert one == other
    assert one.count(b'["cell_quarter"') > 5
    await shuffled.database.dispose()


async def test_ticks_in_between_change_nothing_in_the_end(
    database: Database, tmp_path: Path
) -> None:
    """Running state, looked at day by day on a moving clock, against one read at the end."""
    log = random_log(11)
    events = [e for e in log.events if "plan" in e.type] + sorted(
        (e for e in log.events if "plan" not in e.type), key=lambda e: e.time
    )
    events = _renumbered(events)
    clock = Clock()
    running = Reader(Database(f"sqlite:///{tmp_path / 'running.db'}", now=clock))
    await migrated(running.database, "coverage")
    for event in events:
        clock.now = max(event.time, START)
        await running.read([event])
        await running.tick()
    clock.now = AT
    await running.tick()
    late = Reader(database)
    await late.read(events, batch=50)
    await late.tick()
    assert await running.state() == await late.state()
    await running.database.dispose()


def _renumbered(events: list[Event[Any]]) -> list[Event[Any]]:
    versions: dict[str, int] = {}
    renumbered = []
    for event in events:
        version = versions[event.partitionkey] = versions.get(event.partitionkey, 0) + 1
        renumbered.append(event.model_copy(update={"keyversion": version}))
    return renumbered


async def test_sums_are_added_per_cell_and_quarter(database: Database) -> None:
    log = Log()
    log.plan()
    log.filed("ada", at=AT, outcomes=("protected", "contested", "rejected", "duplicate", "open"))
    log.ended("won", "ada", at=AT, amount="1000.505")
    log.ended("won", "ada", at=AT - timedelta(days=100), amount="1")
    log.ended("lost", "ada", at=AT, amount="7")
    log.ended("withdrawn", "ada", at=AT, claims=3)
    log.ended("revoked", "ada", at=AT)
    for kind in ("expired", "superseded", "promoted", "closed", "revoked", "withdrawn", "extended"):
        log.moved(kind, "ada", at=AT)
    log.met(at=AT)
    log.met(at=AT, kind="appeal")
    await Reader(database).read(plan_first(log.events))
    known = await database.read(lambda conn: store.known(conn, AT, WEST_SMB))
    cell = known.cells[CellKey("ada", WEST_SMB)]
    now = quarter_of(AT)
    assert cell.quarters[now] == Sums(
        filed=3, superseded=1, lapsed=5, won=1, lost=1, won_value=100051, lost_value=700
    )
    assert cell.over(now - 2, now - 1) == Sums(won=1, won_value=100)
    assert known.meetings == {WEST_SMB: 1}
    assert {kind: len(events) for kind, events in cell.recent.items()} == {
        "filed": 1,
        "won": 2,
        "lost": 1,
        "lapsed": 3,
        "superseded": 1,
    }


async def test_an_event_that_names_an_unknown_plan_waits(database: Database) -> None:
    log = Log()
    log.filed(plan_number=3)
    with pytest.raises(NotYet, match="plan 3 has not arrived"):
        await Reader(database).read(log.events)
    parts = Log()
    parts.plan(3)
    reader = Reader(database)
    await reader.read(parts.events[:-1])
    with pytest.raises(NotYet):
        await Reader(database).read(log.events)
    await reader.read(parts.events[-1:])
    await Reader(database).read(log.events)


async def test_a_manifest_without_all_parts_is_refused(database: Database) -> None:
    log = Log()
    log.plan()
    with pytest.raises(PlanIncomplete, match="arrived"):
        await Reader(database).read([log.events[-1].model_copy(update={"keyversion": 1})])


async def test_a_plan_counts_from_its_instant(database: Database) -> None:
    log = Log()
    log.plan(1, in_force_from=AT - timedelta(days=2))
    log.plan(2, in_force_from=AT + timedelta(seconds=1))
    log.plan(3, in_force_from=AT - timedelta(days=1))
    await Reader(database).read(log.events)
    shelf = PlanShelf()

    async def number(at: datetime) -> int | None:
        plan = await database.read(lambda conn: shelf.in_force(conn, at))
        return None if plan is None else plan.number

    assert await number(AT - timedelta(days=3)) is None
    assert await number(AT - timedelta(days=2)) == 1
    assert await number(AT) == 3
    assert await number(AT + timedelta(seconds=1)) == 2


async def test_only_real_changes_are_told(database: Database) -> None:
    log, reader = Log(), Reader(database)
    log.plan()
    await reader.read(log.events)
    first = await told(database)
    assert first.count(("score-changed.v1", "ada")) == 2
    assert ("gap-opened.v1", "east/smb") in first
    assert len(first) == 8
    assert not await reader.tick()
    log.events.clear()
    log.ended("won", "ada", at=AT, amount="25000")
    log.moved("promoted", "ada", at=AT)
    log.met(at=AT)
    log.filed("nobody", at=AT)
    log.filed("ada", market=(None, None), at=AT)
    await reader.read(log.events)
    assert (await told(database))[8:] == [
        ("score-changed.v1", "ada"),
        ("gap-closed.v1", "west/smb"),  # Medium: the win lifts the market above its target,
        ("gap-opened.v1", "west/smb"),  # Low: but four partners are planned
    ]


async def test_a_suspension_takes_scores_and_opens_gaps(database: Database) -> None:
    log, reader = Log(), Reader(database)
    log.plan()
    await reader.read(log.events)
    before = len(await told(database))
    log.events.clear()
    log.status("ada", "suspended", AT)
    await reader.read(log.events)
    assert (await told(database))[before:] == [
        ("score-changed.v1", "ada"),
        ("score-changed.v1", "ada"),
        ("gap-closed.v1", "west/ent"),
        ("gap-opened.v1", "west/ent"),
    ]
    log.events.clear()
    log.status("ada", "active", AT)
    await reader.read(log.events)
    assert (await told(database))[-1] == ("gap-opened.v1", "west/ent")


async def test_a_late_deal_makes_everything_due_again(database: Database) -> None:
    log, reader = Log(), Reader(database)
    log.plan()
    await reader.read(log.events)
    assert not await reader.tick()
    log.events.clear()
    log.ended("won", "cy", at=AT - timedelta(days=100))
    await reader.read(log.events)
    assert await reader.tick()
    assert not await reader.tick()


async def test_a_day_is_looked_at_only_if_it_can_change_something(tmp_path: Path) -> None:
    clock = Clock()
    reader = Reader(Database(f"sqlite:///{tmp_path / 'days.db'}", now=clock))
    await migrated(reader.database, "coverage")
    parts = sections()
    parts["assignments"][2] |= {"valid_from": "2028-02-01", "valid_to": "2028-03-01"}
    log = Log()
    log.plan(parts=parts)
    clock.now = datetime(2028, 1, 20, tzinfo=UTC)
    await reader.read(log.events)
    given = HandSet(850, "because", "person", AT, "2028-02-10", 1)
    await reader.database.write(
        lambda conn: store.put_hand_set(conn, CellKey("ada", WEST_SMB), "presence", given)
    )
    looked = []
    for days in range(75):
        clock.now = datetime(2028, 1, 21, tzinfo=UTC) + timedelta(days=days)
        if await reader.tick():
            looked.append(clock.now.date().isoformat())
    assert looked == ["2028-02-01", "2028-02-10", "2028-03-01", "2028-04-01"]
    await reader.database.dispose()


async def test_hand_set_factors_keep_versions_for_ever(database: Database) -> None:
    key = CellKey("ada", WEST_SMB)
    given = HandSet(850, "because", "person", AT, "2028-06-01", 1)

    def work(conn: Connection) -> None:
        assert store.find_hand_set(conn, key, "presence") == (None, 0)
        store.put_hand_set(conn, key, "presence", given)
        assert store.find_hand_set(conn, key, "presence") == (given, 1)
        store.take_back(conn, key, "presence", 2)
        assert store.find_hand_set(conn, key, "presence") == (None, 2)
        assert store.known(conn, AT).hand_set == {}

    await database.write(work)


async def test_migrations_go_up_down_and_up_and_match_the_tables(database: Database) -> None:
    def difference(conn: Connection) -> list[Any]:
        context = MigrationContext.configure(conn, opts={"compare_type": True})
        found = compare_metadata(context, tables.metadata)
        return [entry for entry in found if "alembic_version" not in str(entry)]

    assert await database.read(difference) == []
    await downgrade(database, PACKAGE)
    await migrate(database, PACKAGE)
    assert await database.read(difference) == []


def test_times_are_utc() -> None:
    assert AT.tzinfo is UTC

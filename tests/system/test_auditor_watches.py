"""The auditor names what stands still, tells the dead man's URL only when all is well, and cannot be
switched off by a slow query or a database that is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection

from dealreg.auditor.limits import Limited, NoDatabase, TookTooLong
from dealreg.auditor.rounds import Job, Round
from dealreg_shared.auditing import Finding, Looked
from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.db import Database
from dealreg_shared.db.engine import utc_now
from dealreg_shared.heartbeat import BEAT_SECONDS
from tests.factories.audit_world import AuditWorld, audit_world

pytestmark = pytest.mark.timeout(300)

ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "postgresql": "SELECT count(*) FROM generate_series(1, 1000000000000)",
}


@dataclass
class DeadMan:
    """A server that notes what is posted to it."""

    posts: list[bytes] = field(default_factory=list)
    url: str = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.posts.append(head.split(b"\r\n")[0])
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


@asynccontextmanager
async def dead_man() -> AsyncIterator[DeadMan]:
    made = DeadMan()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/alive"
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()


@pytest.fixture(scope="module")
async def listener() -> AsyncIterator[DeadMan]:
    async with dead_man() as made:
        yield made


@pytest.fixture(scope="module")
async def world(
    listener: DeadMan, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[AuditWorld]:
    folder = tmp_path_factory.mktemp("watched")
    bus = EmbeddedBus(folder / "bus.db")
    async with audit_world(
        folder, bus, auditor_ping_url=listener.url, auditor_ping_loopback=True
    ) as made:
        yield made
    await bus.close()


async def watched(world: AuditWorld, *, but: frozenset[str] = frozenset()) -> None:
    """Forty seconds in which all parts move ``but`` some."""
    for _ in range(int(40 / BEAT_SECONDS)):
        for service in world.services.values():
            for name, turns in service.parts.items():
                if name not in but:
                    turns()
            assert service.pulse is not None
            await service.pulse.beat()
        world.seconds.now += BEAT_SECONDS
        await world.auditor.watch()


async def test_only_a_clean_pass_is_told_to_the_dead_man(
    world: AuditWorld, listener: DeadMan
) -> None:
    health = await world.audit()
    assert (health.status, len(listener.posts)) == ("clean", 1)
    assert health.ping is not None
    assert health.ping.outcome == "ok"

    await world.auditor.watch()
    assert len(listener.posts) == 1, "the books were not gone through again"

    await watched(world, but=frozenset({"registration-relay"}))
    await world.audit()
    assert len(listener.posts) == 1

    await watched(world)
    assert len(listener.posts) == 2, "as soon as all of both rounds is clean"
    health = await world.audit()
    assert (health.status, len(listener.posts)) == ("clean", 3)


async def test_each_part_that_stands_still_is_named(world: AuditWorld) -> None:
    stopped = frozenset(
        {
            "registration-relay",
            "registration-sweep",
            "consumer-coverage-registration",
            "notifier-timers",
            "notifier-deliveries",
        }
    )
    await watched(world, but=stopped)
    health = world.auditor.health()

    assert {f.ids[0] for f in health.findings if f.check == "heartbeats"} == stopped
    assert any("notifier-timers of notifier has not moved" in f.sentence for f in health.findings)
    await watched(world)
    assert world.auditor.health().findings == []


async def test_a_service_of_which_nothing_moves_is_named_once(world: AuditWorld) -> None:
    await watched(world, but=frozenset(world.services["coverage"].parts))
    [finding] = world.auditor.health().findings

    assert finding.sentence.startswith("coverage stands still: none of its 4 parts")
    await watched(world)


async def test_an_auditor_that_was_stopped_itself_alarms_nobody(world: AuditWorld) -> None:
    world.seconds.now += 86_400
    await world.auditor.watch()
    assert world.auditor.health().findings == []


async def test_a_stepped_clock_alarms_nobody(world: AuditWorld) -> None:
    before = world.ahead
    await world.travel(hours=-5)
    await world.settle()
    await world.auditor.watch()
    world.ahead = before
    await world.settle()
    await world.auditor.watch()
    assert [f for f in world.auditor.health().findings if f.check == "heartbeats"] == []


async def test_services_see_the_auditor_pass(world: AuditWorld) -> None:
    await world.auditor.watch()
    for service in world.services.values():
        assert service.pulse is not None
        await service.pulse.beat()
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(service.app), base_url="http://service"
        ) as client:
            answer = await client.get("/readyz")
        assert answer.json()["notes"] == {"auditor": "ok"}


@pytest.mark.parametrize(("who", "status"), [("admin", 200), ("acme", 403), (None, 401)])
async def test_staff_may_ask_for_the_audit(world: AuditWorld, who: str | None, status: int) -> None:
    headers = {} if who is None else world.headers(who)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(world.service.app), base_url="http://auditor"
    ) as client:
        answer = await client.get("/v1/audit/health", headers=headers)
    assert answer.status_code == status
    if who == "admin":
        assert answer.json()["status"] == "clean"
        assert {check["check"] for check in answer.json()["checks"]} >= {"decided", "clocks"}


async def test_what_is_wrong_is_in_the_metrics(world: AuditWorld) -> None:
    await watched(world, but=frozenset({"coverage-relay"}))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(world.service.app), base_url="http://auditor"
    ) as client:
        text = (await client.get("/metrics")).text
    assert 'dealreg_auditor_findings{check="heartbeats",service="coverage"} 1.0' in text
    await watched(world)


async def test_a_slow_check_is_stopped_and_named(database: Database) -> None:
    limited = Limited(database, 0.2)
    await database.write(lambda conn: conn.exec_driver_sql("SELECT 1"))

    async def look(_after: str) -> Looked:
        query = ENDLESS[database.dialect]
        await limited.read("slow", lambda conn: conn.exec_driver_sql(query).all())
        return Looked([], 0)

    slow = Round(Job("slow", "test", look))
    await slow.go(utc_now)

    [finding] = slow.findings
    assert "The check slow of test could not look" in finding.sentence
    assert "did not end in 0.2 s" in finding.sentence
    assert slow.state == "findings"
    assert await limited.read("quick", lambda conn: conn.exec_driver_sql("SELECT 7").scalar()) == 7


async def test_a_database_that_answers_nothing_holds_nobody_up(tmp_path: Path) -> None:
    callers: list[asyncio.StreamWriter] = []
    listening = await asyncio.start_server(lambda _, to: callers.append(to), "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    database = Database(f"postgresql+asyncpg://nobody:x@127.0.0.1:{port}/none")
    limited = Limited(database, 0.1)
    for _ in range(2):
        with pytest.raises(TookTooLong):
            await limited.read("any", lambda conn: conn.exec_driver_sql("SELECT 1"))
    for caller in callers:
        caller.close()
    listening.close()
    await listening.wait_closed()
    await database.dispose()


async def test_a_timeout_of_the_database_itself_is_told_as_it_is(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/some.db")
    await database.write(lambda conn: conn.exec_driver_sql("SELECT 1"))

    def lost(_conn: Connection) -> None:
        raise TimeoutError("the connection is gone")

    with pytest.raises(TimeoutError, match="the connection is gone"):
        await Limited(database, 30).read("any", lost)
    await database.dispose()


async def test_looking_makes_no_database(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/none.db")
    with pytest.raises(NoDatabase):
        await Limited(database, 1).read("any", lambda conn: conn.dialect)
    await database.dispose()
    assert list(tmp_path.iterdir()) == []


async def test_a_round_takes_slices_and_forgets_a_fault_when_its_slice_is_well() -> None:
    faults = {"b": Finding("b is wrong", ("b",))}
    table = ["a", "b", "c"]

    async def look(after: str) -> Looked:
        place = table.index(after) + 1 if after else 0
        found = [faults[name] for name in table[place : place + 1] if name in faults]
        return Looked(found, 1, table[place] if place + 1 < len(table) else None)

    each = Round(Job("slices", "test", look))
    await each.go(utc_now)
    assert (each.state, each.looked_at, [f.ids for f in each.findings]) == ("findings", 3, [("b",)])
    del faults["b"]
    await each.go(utc_now)
    assert (each.state, each.looked_at) == ("clean", 3)


async def test_what_fails_while_the_installation_starts_is_no_alarm() -> None:
    async def look(_after: str) -> Looked:
        raise OSError("no table yet")

    each = Round(Job("early", "test", look))
    await each.go(utc_now, starting=True)
    assert (each.state, each.waits_for) == ("settling", "OSError: no table yet")
    await each.go(utc_now)
    assert each.state == "findings"

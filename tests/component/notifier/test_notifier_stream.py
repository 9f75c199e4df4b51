"""Notices as server-sent events, over a real HTTP server."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from dealreg_notifier import streams
from dealreg_notifier.streams import Listener, Listeners
from tests.factories import notifier as make
from tests.factories import notifier_world as stage
from tests.factories.notifier_world import World

STREAM = "/v1/notifications/stream"


@dataclass
class Served:
    """A notifier behind a real server."""

    world: World
    http: httpx.AsyncClient

    async def key(self, role: Any, **of: str) -> dict[str, str]:
        headers = await self.world.others.key(role, **of)
        await self.world.settle()
        return headers

    @asynccontextmanager
    async def stream(
        self, headers: dict[str, str], last: str | None = None
    ) -> AsyncIterator["Reading"]:
        known = {"last-event-id": last} if last else {}
        async with self.http.stream("GET", STREAM, headers=headers | known) as response:
            reading = Reading(response, response.aiter_lines())
            if response.status_code == 200:
                assert await anext(reading.lines) == "retry: 3000"
                assert await anext(reading.lines) == ""
            yield reading


@dataclass
class Reading:
    """One open stream."""

    response: httpx.Response
    lines: AsyncIterator[str]

    async def next(self) -> dict[str, str]:
        """The next event's fields; a heartbeat has none."""
        found: dict[str, str] = {}
        async for line in self.lines:
            if not line:
                return found
            name, _, value = line.partition(": ")
            if name:
                found[name] = value
        raise EOFError

    async def notices(self, count: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while len(found) < count:
            fields = await self.next()
            if fields:
                assert fields["event"] == "notice"
                found.append(json.loads(fields["data"]) | {"event_id": fields["id"]})
        return found


@asynccontextmanager
async def served(folder: Path, **settings: Any) -> AsyncIterator[Served]:
    async with stage.world(folder, **settings) as world:
        await world.others.people()
        await world.others.plan()
        await world.settle()
        config = uvicorn.Config(
            world.service.app, host="127.0.0.1", port=0, lifespan="off", log_config=None
        )
        server = uvicorn.Server(config)
        server.capture_signals = _no_signals  # type: ignore[method-assign]  # pytest has its own
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0)
        port = server.servers[0].sockets[0].getsockname()[1]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
            yield Served(world, http)
        server.should_exit = True
        await serving


def _no_signals() -> Any:
    """The test's own process is not the server's to stop."""
    return nullcontext()


async def file(world: World, registration_id: str, partner_id: str = "acme") -> None:
    await world.others.say("registration.filed", make.filed(registration_id, partner_id))
    while await world.service.drain():
        pass


async def test_a_partner_hears_of_its_own_notices_only(tmp_path: Path) -> None:
    async with served(tmp_path) as it:
        acme = await it.key("partner", partner_id="acme")
        rival = await it.key("partner", partner_id="rival")
        async with it.stream(acme) as mine, it.stream(rival) as theirs:
            assert mine.response.headers["content-type"].startswith("text/event-stream")
            assert mine.response.headers["cache-control"] == "no-store"
            await file(it.world, "reg_a")
            await file(it.world, "reg_b", "rival")
            await it.world.settle()
            (heard,) = await mine.notices(1)
            (other,) = await theirs.notices(1)
        assert heard["recipient"] == "partner:acme"
        assert other["recipient"] == "partner:rival"
        inbox = {notice["id"]: notice for notice in await it.world.inbox(acme)}
        assert heard.pop("event_id")
        assert inbox[heard["id"]] == heard
        assert len(inbox) == 2, "what was there before is in the inbox alone"


async def test_a_page_that_was_away_hears_what_it_missed(tmp_path: Path) -> None:
    async with served(tmp_path) as it:
        acme = await it.key("partner", partner_id="acme")
        async with it.stream(acme) as first:
            await file(it.world, "reg_seen")
            await it.world.settle()
            (seen,) = await first.notices(1)
        for number in range(3):
            await file(it.world, f"reg_{number}")
        inbox = [notice["id"] for notice in await it.world.inbox(acme)]
        async with it.stream(acme, seen["event_id"]) as again:
            heard = [notice["id"] for notice in await again.notices(len(inbox))]
            await it.world.settle()
            await file(it.world, "reg_3")
            await it.world.settle()
            (fresh,) = await again.notices(1)
        assert heard == inbox
        assert fresh["id"] not in heard


@pytest.mark.parametrize("last", ["x", "WzEsICJ4Il0", "WzEsIngiXQ"])
async def test_an_id_of_another_list_is_refused(tmp_path: Path, last: str) -> None:
    async with served(tmp_path) as it:
        acme = await it.key("partner", partner_id="acme")
        answer = await it.http.get(STREAM, headers=acme | {"last-event-id": last})
        assert answer.status_code == 422


async def test_it_stays_alive_and_ends_when_the_key_is_revoked(tmp_path: Path) -> None:
    async with served(tmp_path, notifier_stream_heartbeat_seconds=0.05) as it:
        acme = await it.key("partner", partner_id="acme")
        async with it.stream(acme) as mine:
            assert await mine.next() == {}
            assert await mine.next() == {}
            await it.world.others.forget_keys()
            while await it.world.service.drain():
                pass
            with pytest.raises(EOFError):
                while True:
                    await mine.next()


async def test_it_ends_when_the_key_is_revoked_though_notices_keep_coming(tmp_path: Path) -> None:
    async with served(tmp_path, notifier_stream_heartbeat_seconds=0.05) as it:
        acme = await it.key("partner", partner_id="acme")
        async with it.stream(acme) as mine:
            await it.world.others.forget_keys()
            ended = asyncio.create_task(_until_end(mine))
            number = 0
            while not ended.done():
                number += 1
                await file(it.world, f"reg_{number}")
                await it.world.service.tick()
            await ended


async def _until_end(reading: Reading) -> None:
    try:
        while True:
            await reading.next()
    except EOFError:
        return


async def test_connections_are_bounded(tmp_path: Path) -> None:
    async with served(tmp_path, notifier_stream_connections=2) as it:
        acme = await it.key("partner", partner_id="acme")
        async with it.stream(acme), it.stream(acme):
            answer = await it.http.get(STREAM, headers=acme)
            assert (answer.status_code, answer.json()["type"]) == (
                429,
                "/problems/too-many-streams",
            )
            assert answer.headers["retry-after"] == "30"


async def test_a_key_without_an_inbox_has_no_stream(tmp_path: Path) -> None:
    async with served(tmp_path) as it:
        admin = await it.key("admin")
        answer = await it.http.get(STREAM, headers=admin)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/no-inbox")
        assert (await it.http.get(STREAM)).status_code == 401


async def test_the_database_is_asked_once_for_all_and_not_at_all_for_nobody(
    tmp_path: Path,
) -> None:
    async with stage.world(tmp_path) as world:
        await world.others.people()
        await world.others.plan()
        await world.settle()
        listeners = Listeners(world.service.database, 100, 100)
        asked = 0

        def count(*_: object) -> None:
            nonlocal asked
            asked += 1

        reads = listeners._database.read

        async def counting(work: Any) -> Any:
            count()
            return await reads(work)

        listeners._database = _Counting(counting)  # type: ignore[assignment]  # to count its reads
        assert (await listeners.look(), asked) == (0, 0)
        mine = [await arrived(world, f"key_{n}") for n in range(50)]
        holding = [listeners.listening(listener) for listener in mine]
        for each in holding:
            each.__enter__()
        assert (await listeners.look(), asked) == (0, 1)
        await file(world, "reg_a")
        assert (await listeners.look(), asked) == (1, 2)
        assert (await listeners.look(), asked) == (0, 3)
        assert all(listener.queue.qsize() == 1 for listener in mine)
        for each in holding:
            each.__exit__(None, None, None)
        assert (await listeners.look(), asked, len(listeners)) == (0, 3, 0)


async def arrived(world: World, key_id: str, since: datetime | None = None) -> Listener:
    listener, _ = await world.service.database.read(
        lambda conn: streams.arrive(conn, "partner:acme", key_id, since)
    )
    return listener


async def test_nothing_is_lost_between_the_first_look_and_the_stream(tmp_path: Path) -> None:
    """Also where another page of the reader's has got it by then; nothing comes twice."""
    async with stage.world(tmp_path) as world:
        await world.others.people()
        await world.others.plan()
        await world.settle()
        listeners = Listeners(world.service.database, 100, 100)
        other = await arrived(world, "key_1")
        with listeners.listening(other):
            late = await arrived(world, "key_2")
            await file(world, "reg_a")
            assert await listeners.look() == 1
            world.clock.at += timedelta(minutes=5)
            with listeners.listening(late):
                assert await listeners.look() == 1
                await file(world, "reg_b")
                assert await listeners.look() == 1
                assert await listeners.look() == 0
        for listener in (other, late):
            heard = [listener.queue.get_nowait() for _ in range(listener.queue.qsize())]
            assert [notice["subject"] for notice in heard] == ["reg_a", "reg_b"]


@dataclass
class _Counting:
    read: Any


async def test_who_does_not_read_is_dropped_and_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "WAITING", 3)
    async with stage.world(tmp_path) as world:
        await world.others.people()
        await world.others.plan()
        await world.settle()
        listeners = Listeners(world.service.database, 100, 100)
        slow, quick = await arrived(world, "key_1"), await arrived(world, "key_2")
        with listeners.listening(slow), listeners.listening(quick):
            heard = 0
            for number in range(6):
                await file(world, f"reg_{number}")
                await listeners.look()
                while not quick.queue.empty():
                    assert quick.queue.get_nowait() is not streams.SLOW
                    heard += 1
            assert heard == 6
            assert len(listeners) == 1
            assert [slow.queue.get_nowait() for _ in range(4)][-1] is streams.SLOW

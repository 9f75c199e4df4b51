"""A served service as its operator sees it: exit codes, a clean stop, and one that cannot be delayed."""

import asyncio
import gc
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from dealreg_shared.lifeline import VARIABLE
from dealreg_shared.serve import collect_rarely

PROGRAM = """
import asyncio, sys, time
from datetime import timedelta
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from dealreg_shared.config import SharedSettings
from dealreg_shared.db import Database
from dealreg_shared.restart import RestartNeeded
from dealreg_shared.runtime import Service, Tick
from dealreg_shared.serve import run
from dealreg_shared.web.app import new_app

data_dir, mode, port = sys.argv[1], sys.argv[2], int(sys.argv[3])

def say(text):
    print(text, flush=True)

class Flow:
    name = "flow"
    asked = asyncio.Event()
    async def drain(self):
        return 0
    async def run(self):
        try:
            await self.asked.wait()
            if mode == "stuck":
                raise RestartNeeded("the client hangs")
            if mode == "broken":
                raise RuntimeError("no")
            await asyncio.Event().wait()
        finally:
            say("flow ended")

flow = Flow()

async def slow(request):
    say("slow begins")
    await asyncio.sleep(0.5)
    return PlainTextResponse("done")

async def fail(request):
    flow.asked.set()
    return PlainTextResponse("now")

async def nothing():
    pass

async def migrate():
    say("migrated")

async def start():
    say("started")

async def stop():
    say("stopping")
    if mode == "hangs":
        await asyncio.Event().wait()
    if mode == "blocks":
        time.sleep(60)
    say("stopped")

def build():
    app = new_app("S", "1", service="s", routes=[Route("/slow", slow), Route("/fail", fail)])
    database = Database(f"sqlite:///{data_dir}/s.db")
    return [Service("s", app, database, migrate, [flow], [Tick("t", timedelta(seconds=1), nothing)],
                    start, stop)]

settings = SharedSettings(data_dir=data_dir, http_port=port,
                          shutdown_seconds=1.5 if mode in ("hangs", "blocks") else 15)
sys.exit(run(settings, build, ready=lambda port: say(f"ready {port}")))
"""


@dataclass
class Served:
    """A running program: what it printed so far, and where it listens."""

    process: asyncio.subprocess.Process
    printed: list[str]

    async def until(self, beginning: str) -> str:
        """Read lines until one begins so; the rest of that line."""
        assert self.process.stdout is not None
        while True:
            line = (await self.process.stdout.readline()).decode()
            if not line:
                pytest.fail(f"ended before it printed {beginning!r}: {self.printed}")
            self.printed.append(line.strip())
            if line.startswith(beginning):
                return line[len(beginning) :].strip()

    async def end(self) -> tuple[int, str]:
        """Its exit code and what it wrote to standard error."""
        out, errors = await self.process.communicate()
        self.printed += out.decode().splitlines()
        assert self.process.returncode is not None
        return self.process.returncode, errors.decode()


Start = Callable[..., Awaitable[Served]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    started: list[asyncio.subprocess.Process] = []

    async def go(mode: str, port: int = 0, pipe: int | None = None) -> Served:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            program,
            tmp_path / "data",
            mode,
            str(port),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=() if pipe is None else (pipe,),
            env=dict(os.environ) | ({} if pipe is None else {VARIABLE: str(pipe)}),
        )
        started.append(process)
        return Served(process, [])

    yield go
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_asked_to_stop_it_answers_what_runs_and_ends_well(
    number: signal.Signals, start: Start
) -> None:
    served = await start("well")
    port = await served.until("ready")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        assert (await http.get("/healthz")).status_code == 200
        slow = asyncio.create_task(http.get("/slow"))
        await served.until("slow begins")
        served.process.send_signal(number)
        assert (await slow).text == "done"

    code, errors = await served.end()

    assert code == 0
    lines = [json.loads(line) for line in errors.splitlines()]
    assert [line["event"] for line in lines if line["logger"] == "dealreg_shared.serve"] == [
        "listening",
        "stopping",
    ]
    assert {line["level"] for line in lines} == {"info"}
    assert [line.split(" ")[0] for line in served.printed] == [
        "migrated",
        "started",
        "ready",
        "slow",
        "flow",
        "stopping",
        "stopped",
    ]


@pytest.mark.parametrize(("mode", "expected"), [("stuck", 75), ("broken", 1)])
async def test_a_part_that_fails_ends_the_process_with_its_code(
    mode: str, expected: int, start: Start
) -> None:
    served = await start(mode)
    port = await served.until("ready")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        with suppress(httpx.TransportError):  # the process may be gone before its answer is
            await http.get("/fail")

    code, errors = await served.end()

    assert code == expected
    assert "stopped" in served.printed
    assert ("the client hangs" if mode == "stuck" else "RuntimeError: no") in errors


@pytest.mark.parametrize("mode", ["hangs", "blocks"])
async def test_a_stop_that_hangs_ends_at_the_deadline(mode: str, start: Start) -> None:
    served = await start(mode)
    await served.until("ready")
    served.process.terminate()

    async with asyncio.timeout(30):
        code, _ = await served.end()

    assert code == 1
    assert served.printed[-1] == "stopping"


async def test_it_ends_with_the_process_that_started_it(start: Start) -> None:
    theirs, ours = os.pipe()
    served = await start("well", 0, theirs)
    os.close(theirs)
    await served.until("ready")

    os.close(ours)  # as the system does when a process is killed
    code, _ = await served.end()

    assert code == 0
    assert served.printed[-1] == "stopped"


async def test_a_pipe_that_is_none_is_said(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "none")
    code, errors = await (await start("well")).end()

    assert code == 78
    assert errors.startswith(f"{VARIABLE}: ")


async def test_a_taken_port_is_said_before_anything_starts(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        served = await start("well", port)
        code, errors = await served.end()

    assert code == 78
    assert f"cannot listen on 127.0.0.1:{port} (Address already in use); name" in errors
    assert "Traceback" not in errors
    assert served.printed == []


def test_a_serving_process_collects_rarely() -> None:
    before = gc.get_threshold()
    try:
        collect_rarely()
        assert gc.get_threshold() == (20_000, *before[1:])
    finally:
        gc.set_threshold(*before)

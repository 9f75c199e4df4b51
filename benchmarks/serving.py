"""One application in a process of its own, served as the product's ``serve`` command serves it.

Started by ``Served``; prints a JSON line once it listens, another with its processor time when it ends.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.types import ASGIApp

from benchmarks import noop, product
from dealreg_shared.config import SharedSettings
from dealreg_shared.serve import collect_rarely, running
from dealreg_shared.telemetry import configure_logging

ROOT = Path(__file__).parents[1]


class Served:
    """A running server: ``port`` and ``keys``; its processor seconds by ``cpu``."""

    def __init__(
        self, what: str, folder: Path, database_url: str | None = None, *, relay: bool = False
    ) -> None:
        """``what`` is ``noop`` or ``product``."""
        self._order = {
            "what": what,
            "folder": str(folder),
            "database_url": database_url,
            "relay": relay,
        }

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.serving", json.dumps(self._order)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server ended at once: {self._order}")
        said: dict[str, Any] = json.loads(line)
        self.port: int = said["port"]
        self.keys: tuple[str, ...] = tuple(said["keys"])
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def cpu(self) -> float:
        """Processor seconds that the process has used, all threads."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def _application(order: dict[str, Any]) -> AsyncIterator[tuple[ASGIApp, tuple[str, ...]]]:
    if order["what"] == "noop":
        yield noop.build(), ("none",)
        return
    made = await product.prepare(Path(order["folder"]), order["database_url"])
    async with running([made.service]) if order["relay"] else made.service.open():
        yield made.service.app, made.keys


async def _serve(order: dict[str, Any]) -> None:
    async with _application(order) as (app, keys):
        server = uvicorn.Server(
            uvicorn.Config(
                app, port=0, lifespan="off", access_log=False, log_config=None, server_header=False
            )
        )
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        print(json.dumps({"port": port, "keys": keys}), flush=True)
        await asyncio.to_thread(sys.stdin.read)  # until the parent closes it
        server.should_exit = True
        await serving


def main() -> None:
    """Serve what the argument orders until standard input ends."""
    configure_logging(SharedSettings(log_level="warning"))
    collect_rarely()
    factory = uvicorn.Config(app="", loop="auto", log_config=None).get_loop_factory()
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_serve(json.loads(sys.argv[1])))


if __name__ == "__main__":
    main()

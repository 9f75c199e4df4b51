"""A mail server (aiosmtpd) and a webhook receiver in a process of their own, which count what comes.

The webhook receiver runs as the product's own servers do, FastAPI under uvicorn, and does what Standard
Webhooks asks for. Started by ``Receivers``; prints its ports as a JSON line, then the counts for every
line it reads.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn
from aiosmtpd.smtp import SMTP, Envelope, Session
from fastapi import FastAPI, Request, Response

ROOT = Path(__file__).parents[1]
TOLERANCE = 300
"""Seconds that a timestamp may differ from the clock."""


class Receivers:
    """Running receivers: their ports, and ``counts``."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.receivers"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        said = self._read()
        self.smtp: int = said["smtp"]
        self.http: int = said["http"]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()

    def counts(self, secrets: Mapping[str, str] | None = None) -> dict[str, int]:
        """Messages that came so far: ``mails`` and ``posts``, and ``different`` ids among both.

        ``secrets``: by partner, what the posts to its path are signed with from now on.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(secrets or {}) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, int]:
        assert self._process.stdout is not None
        said: dict[str, int] = json.loads(self._process.stdout.readline())
        return said


class _Counted:
    """What came, by id."""

    def __init__(self) -> None:
        self.mails = 0
        self.posts = 0
        self.ids: set[bytes] = set()
        self.keys: dict[str, bytes] = {}

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  (aiosmtpd's name)
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails += 1
        self.ids.add(_after(content, b"Message-ID: "))
        return "250 taken"


def _webhooks(counted: _Counted) -> FastAPI:
    """What the standard asks of a receiver: read, verify, parse, remember the id, answer."""
    app = FastAPI(openapi_url=None)

    @app.post("/{partner}", status_code=204)
    async def take(partner: str, request: Request) -> Response:
        body = await request.body()
        id_, timestamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        signed = f"{id_}.{timestamp}.".encode() + body
        digest = hmac.new(counted.keys[partner], signed, hashlib.sha256).digest()
        wanted = f"v1,{base64.b64encode(digest).decode()}"
        given = request.headers["webhook-signature"].split(" ")
        if abs(time.time() - int(timestamp)) > TOLERANCE or not any(
            hmac.compare_digest(wanted, each) for each in given
        ):
            return Response(status_code=401)
        notice = json.loads(body)
        if notice["type"] and id_.encode() not in counted.ids:
            counted.posts += 1
            counted.ids.add(id_.encode())
        return Response(status_code=204)

    return app


def _after(text: bytes, name: bytes) -> bytes:
    start = text.find(name)
    return b"" if start < 0 else text[start + len(name) : text.find(b"\r\n", start)]


async def _serve() -> None:
    counted, loop = _Counted(), asyncio.get_running_loop()
    smtp = await loop.create_server(
        lambda: SMTP(counted, hostname="localhost", loop=loop), "127.0.0.1", 0
    )
    http = uvicorn.Server(
        uvicorn.Config(
            _webhooks(counted),
            port=0,
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
        )
    )
    serving = asyncio.create_task(http.serve())
    while not http.started:
        await asyncio.sleep(0.01)
    ports = {
        name: server.sockets[0].getsockname()[1]
        for name, server in (("smtp", smtp), ("http", http.servers[0]))
    }
    print(json.dumps(ports), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        for partner, secret in order.items():
            counted.keys[partner] = base64.b64decode(secret.removeprefix("whsec_"))
        counts = {
            "mails": counted.mails,
            "posts": counted.posts,
            "different": len(counted.ids),
        }
        print(json.dumps(counts), flush=True)
    http.should_exit = True
    await serving


if __name__ == "__main__":
    factory = uvicorn.Config(app="", loop="auto", log_config=None).get_loop_factory()
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_serve())

"""A mail server and a webhook receiver in a process of their own, which take everything and count it.

Started by ``Receivers``; prints its ports as a JSON line, then the counts for every line it reads.
"""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn
from aiosmtpd.smtp import SMTP, Envelope, Session

ROOT = Path(__file__).parents[1]
ANSWER = b"HTTP/1.1 204 No Content\r\nconnection: keep-alive\r\n\r\n"


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

    def counts(self) -> dict[str, int]:
        """Messages that came so far: ``mails`` and ``posts``, and ``different`` ids among both."""
        assert self._process.stdin is not None
        self._process.stdin.write("counts\n")
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

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  (aiosmtpd's name)
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails += 1
        self.ids.add(_after(content, b"Message-ID: "))
        return "250 taken"


class _Http(asyncio.Protocol):
    """Answers each request with 204, several on one connection."""

    def __init__(self, counted: _Counted) -> None:
        self._counted = counted
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower() + b"\r\n"
            whole = end + 4 + int(_after(head, b"content-length: ") or 0)
            if len(self._buffer) < whole:
                return
            self._buffer = self._buffer[whole:]
            self._counted.posts += 1
            self._counted.ids.add(_after(head, b"webhook-id: "))
            self._transport.write(ANSWER)


def _after(text: bytes, name: bytes) -> bytes:
    start = text.find(name)
    return b"" if start < 0 else text[start + len(name) : text.find(b"\r\n", start)]


async def _serve() -> None:
    counted, loop = _Counted(), asyncio.get_running_loop()
    smtp = await loop.create_server(
        lambda: SMTP(counted, hostname="localhost", loop=loop), "127.0.0.1", 0
    )
    http = await loop.create_server(lambda: _Http(counted), "127.0.0.1", 0)
    ports = {
        name: server.sockets[0].getsockname()[1]
        for name, server in (("smtp", smtp), ("http", http))
    }
    print(json.dumps(ports), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        counts = {
            "mails": counted.mails,
            "posts": counted.posts,
            "different": len(counted.ids),
        }
        print(json.dumps(counts), flush=True)


if __name__ == "__main__":
    factory = uvicorn.Config(app="", loop="auto", log_config=None).get_loop_factory()
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_serve())

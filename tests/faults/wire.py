"""As little of an HTTP client as a proof can do with: a tenth of a full one's processor time.

Knows that the services answer with a content-length and keep connections open. An answer either comes
whole, or its absence says whether anything may have been done.
"""

import asyncio
from collections.abc import Mapping

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class NotSent(Exception):
    """Nobody listens: nothing was done."""


class NoAnswer(Exception):
    """The connection broke, or nothing came in time: it may have been done."""


class Wire:
    """Connections to services of this machine, by port."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._idle: dict[int, list[Connection]] = {}

    async def request(
        self, port: int, method: str, path: str, headers: Mapping[str, str], content: bytes = b""
    ) -> tuple[int, bytes]:
        """Status and body. Raises ``NotSent`` or ``NoAnswer``."""
        reader, writer = await self._connection(port)
        lines = [f"{method} {path} HTTP/1.1", "host: x", f"content-length: {len(content)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        try:
            async with asyncio.timeout(self._seconds):
                writer.write("\r\n".join([*lines, "", ""]).encode() + content)
                head = await reader.readuntil(b"\r\n\r\n")
                length = _length(head)
                body = await reader.readexactly(length) if length else b""
        except (OSError, EOFError, TimeoutError) as error:
            writer.close()
            raise NoAnswer(f"{method} {path}: {error!r}") from error
        self._idle.setdefault(port, []).append((reader, writer))
        return int(head[9:12]), body

    def close(self) -> None:
        """All connections."""
        for connections in self._idle.values():
            for _, writer in connections:
                writer.close()
        self._idle.clear()

    async def _connection(self, port: int) -> Connection:
        idle = self._idle.get(port, [])
        while idle:
            reader, writer = idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except OSError as error:
            raise NotSent(str(error)) from error


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0

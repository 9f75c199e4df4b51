"""A small internet on this machine: names, public addresses and the receivers behind them."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address

from dealreg_shared.outbound.addresses import Address
from dealreg_shared.outbound.client import dial

PUBLIC = "93.184.215.14"
OTHER_PUBLIC = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"


@dataclass(slots=True)
class Request:
    """What a receiver was sent."""

    line: str
    headers: dict[str, str]
    body: bytes


Answering = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Receiver:
    """A real HTTP server on a port of this machine. ``answers``: given first come, first served; the
    last one stays. ``connections`` counts whatever connected, also what said nothing."""

    port: int = 0
    connections: int = 0
    requests: list[Request] = field(default_factory=list)
    answers: list[bytes | Answering] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while line := await reader.readline():
                headers: dict[str, str] = {}
                while (header := await reader.readline()) not in (b"\r\n", b""):
                    name, _, value = header.decode("latin-1").partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                request = Request(line.decode().strip(), headers, body)
                self.requests.append(request)
                answer = answered(204) if not self.answers else self.answers[0]
                if len(self.answers) > 1:
                    self.answers.pop(0)
                if isinstance(answer, bytes):
                    writer.write(answer)
                else:
                    await answer(request, writer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the caller hung up, which is its right
        finally:
            writer.close()


def answered(status: int, body: bytes = b"", **headers: str) -> bytes:
    """An answer as it goes over the wire; ``retry_after="5"`` becomes a header."""
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@asynccontextmanager
async def receiver(
    *answers: bytes | Answering, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Receiver]:
    """A receiver on a free port."""
    made = Receiver(answers=list(answers))
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(made.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, host, 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(slots=True)
class Names:
    """A resolver. Each name's answers in turn, the last one again and again."""

    answers: dict[str, list[Sequence[str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        turns = self.answers.get(host)
        if turns is None:
            raise OSError("no such name")
        return turns.pop(0) if len(turns) > 1 else turns[0]


class Dialler:
    """The way out. Public addresses lead to receivers of this machine; all else is really dialled."""

    def __init__(self, **ports: int) -> None:
        self.dialled: list[str] = []
        self.ports: dict[str, int] = {PUBLIC: 0, OTHER_PUBLIC: 0, **ports}

    async def __call__(self, address: Address, port: int) -> socket.socket:
        self.dialled.append(str(address))
        if str(address) in self.ports:
            address, port = ip_address("127.0.0.1"), self.ports[str(address)] or port
        return await dial(address, port)

"""A TCP proxy that forwards what is asked and loses the answer: the case in which nobody knows.

Runs in a thread of its own. What is asked of a server arrives there, whole; where ``loses`` says so of a
request, the first bytes of the answer are thrown away and both connections are cut.
"""

import asyncio
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

CHUNK = 1 << 16


@dataclass
class Proxy:
    """Listens on ``port`` and speaks to ``target`` on this machine; ``lost`` counts answers lost."""

    target: int
    loses: Callable[[bytes], bool]
    rewrite: Callable[[bytes, int], bytes] = lambda answer, _: answer
    """What is done to answers, given this proxy's port."""
    losing: bool = False
    """Nothing is lost until it is set."""
    port: int = 0
    lost: int = 0
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    async def _serve(self, started: threading.Event, stop: asyncio.Event) -> None:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await stop.wait()
        server.close()
        while self._connections:  # one may have come just now
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._connect(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side or a lost answer ends it."""
        with _aborted(writer):
            try:
                there, onward = await asyncio.open_connection("127.0.0.1", self.target)
            except OSError:
                return
            with _aborted(onward):
                await self._forward(reader, writer, there, onward)

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        there: asyncio.StreamReader,
        onward: asyncio.StreamWriter,
    ) -> None:
        cut = asyncio.Event()

        async def ask() -> None:
            while chunk := await reader.read(CHUNK):
                if self.losing and self.loses(chunk):
                    cut.set()
                onward.write(chunk)
                await onward.drain()

        async def answer() -> None:
            while chunk := await there.read(CHUNK):
                if cut.is_set():
                    self.lost += 1
                    return
                writer.write(self.rewrite(chunk, self.port))
                await writer.drain()

        ways = [asyncio.create_task(ask()), asyncio.create_task(answer())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


@contextmanager
def _aborted(writer: asyncio.StreamWriter) -> Iterator[None]:
    """Aborted at the end, even when the task is cancelled a second time."""
    try:
        yield
    finally:
        writer.transport.abort()


@contextmanager
def running(proxy: Proxy) -> Iterator[Proxy]:
    """The proxy at work in a thread."""
    started, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(
        target=loop.run_until_complete, args=(proxy._serve(started, stop),), daemon=True
    )
    thread.start()
    started.wait()
    try:
        yield proxy
    finally:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def each(nth: int, wanted: Callable[[bytes], bool]) -> Callable[[bytes], bool]:
    """Of the requests that are ``wanted``, every ``nth``."""
    met = 0

    def loses(chunk: bytes) -> bool:
        nonlocal met
        if not wanted(chunk):
            return False
        met += 1
        return met % nth == 0

    return loses


def is_registration(request: bytes) -> bool:
    """Of our own API."""
    return request.startswith(b"POST /v1/registrations ")


def is_commit(request: bytes) -> bool:
    """Of PostgreSQL: a simple query, as the driver ends a transaction."""
    return b"COMMIT;\x00" in request


def is_produce(request: bytes) -> bool:
    """Of Kafka: after its length a request begins with the key of what it asks, 0 for Produce."""
    return request[4:6] == b"\x00\x00"


def as_broker(real: int) -> Callable[[bytes, int], bytes]:
    """A broker tells its address, and clients go there: name the proxy's port instead."""

    def rewrite(answer: bytes, port: int) -> bytes:
        there = b"127.0.0.1" + struct.pack(">i", real)
        return answer.replace(there, b"127.0.0.1" + struct.pack(">i", port))

    return rewrite

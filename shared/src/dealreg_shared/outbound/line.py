"""One connection to a receiver: a request, its answer, and the next one.

HTTP/1.1 with the parser that our own server uses: a tenth of a general client's time, which counts when
ten thousand notices leave at once. What the other side sends is bounded before it is kept, and whatever
breaks the protocol ends the connection. Must not resolve, connect or try again.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import cast

import httptools

MAX_ANSWER = 65_536
"""Bytes of the answer's body that are read; what follows is not."""
MAX_HEAD = 65_536
"""Bytes until the answer's headers have ended."""
MAX_ALL = 1_048_576
"""Bytes of all of it: interim answers, the frames of chunks and what follows the last one."""


class Broken(Exception):
    """The connection ended, or what came is no HTTP."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``body`` holds at most ``MAX_ANSWER`` bytes, as sent, not unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool


class Line(asyncio.Protocol):
    """``reusable`` says whether another request may follow; ``idle_since`` when the last one ended."""

    def __init__(self) -> None:
        self.reusable = True
        self.idle_since = monotonic()
        self._waiting: asyncio.Future[Answer] | None = None

    async def request(self, sent: bytes) -> Answer:
        """Send a whole request and wait for its answer. Raises ``Broken``."""
        if not self.reusable or self._waiting is not None:
            raise Broken("the connection has ended")
        self._parser = httptools.HttpResponseParser(self)
        self._status, self._body = 0, bytearray()
        self._headers: dict[str, str] = {}
        self._size, self._head_size, self._in_body, self._framed = 0, 0, False, False
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(sent)
        try:
            return await self._waiting
        finally:
            self._waiting = None
            self.idle_since = monotonic()

    def close(self) -> None:
        """At once: nothing that is still under way is waited for."""
        self.reusable = False
        self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._waiting is None or self._waiting.done():
            self.close()  # nobody asked
            return
        self._size += len(data)
        if self._size > MAX_ALL:
            self._fail("the answer does not end")
            return
        if not self._in_body:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(type(error).__name__)
        else:
            if not self._in_body and self._head_size > MAX_HEAD:
                self._fail("the headers do not end")

    def eof_received(self) -> None:
        if self._in_body and not self._framed:
            self._finish(cut=False)  # the end of the connection is the end of the body

    def connection_lost(self, exc: Exception | None) -> None:
        self.eof_received()
        self._fail("the connection ended")

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self._waiting is None or self._waiting.done():
            self.reusable = False  # what follows an answer was not asked for

    def on_header(self, name: bytes, value: bytes) -> None:
        key = name.decode("latin-1").lower()
        self._framed = self._framed or key in ("content-length", "transfer-encoding")
        self._headers[key] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._status, self._in_body = self._parser.get_status_code(), True

    def on_body(self, body: bytes) -> None:
        self._body += body
        if len(self._body) > MAX_ANSWER:
            self._finish(cut=True)

    def on_message_complete(self) -> None:
        if self._status >= 200:
            self.reusable = self.reusable and self._parser.should_keep_alive()
            self._finish(cut=False, ended=True)
        else:  # such as 100 Continue: the answer itself follows
            self._headers, self._in_body, self._framed = {}, False, False

    def _finish(self, *, cut: bool, ended: bool = False) -> None:
        self.reusable = self.reusable and ended
        if self._waiting is not None and not self._waiting.done():
            body = bytes(self._body[:MAX_ANSWER])
            self._waiting.set_result(Answer(self._status, self._headers, body, cut))

    def _fail(self, why: str) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(Broken(why))
        self.close()

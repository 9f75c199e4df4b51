"""One connection to a mail server: a message, its answers, and the next one.

Connecting, TLS and login are aiosmtplib's; what then repeats for each message stands here. Where the
server knows PIPELINING (RFC 2920) a message takes two round trips instead of four; either way it takes
less time than with a general client. Must not connect or try again.
"""

import asyncio
import re
from dataclasses import dataclass
from typing import cast

import aiosmtplib

MAX_ANSWER = 65_536
"""Bytes of answers that nobody has asked for yet, or that do not end."""

QUIT_SECONDS = 2.0
"""How long a server is given to say goodbye."""

_LINE_END = re.compile(rb"\r\n|\r|\n")
_NOT_IN_PATH = re.compile(r"[\x00-\x1f\x7f<>]|[^\x00-\x7f]")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said to one command."""

    code: int
    text: str


class NotTaken(Exception):
    """The server refused the message. ``of_recipient``: its answer was about the recipient."""

    def __init__(self, answer: Answer, *, of_recipient: bool) -> None:
        super().__init__(f"{answer.code}")
        self.answer = answer
        self.of_recipient = of_recipient


class Broken(OSError):
    """The connection ended, or what came is no SMTP."""


class Conversation(asyncio.Protocol):
    """``usable`` says whether another message may follow. ``seconds``: the longest wait for one
    answer."""

    def __init__(
        self, transport: asyncio.Transport, seconds: float, *, pipelining: bool, size: bool
    ) -> None:
        self._transport = transport
        self._seconds = seconds
        self._pipelining = pipelining
        self._size = size
        self._came = bytearray()
        self._answers: list[Answer] = []
        self._lines: list[str] = []
        self._expected = 0
        """Answers to commands that were written and are not answered yet."""
        self._waiting: asyncio.Future[None] | None = None
        self._ended = False

    @classmethod
    def take_over(cls, smtp: aiosmtplib.SMTP, seconds: float) -> "Conversation":
        """Go on with a client that has connected and introduced itself."""
        transport = cast(asyncio.Transport, smtp.transport)
        own = cls(
            transport,
            seconds,
            pipelining=smtp.supports_extension("pipelining"),
            size=smtp.supports_extension("size"),
        )
        transport.set_protocol(own)
        return own

    @property
    def usable(self) -> bool:
        return not self._ended and not self._transport.is_closing()

    async def send(self, sender: str, recipient: str, content: bytes) -> None:
        """Hand a message over. Raises ``NotTaken``, after which another may follow; ``Broken`` and
        ``TimeoutError``, after which none may; ``ValueError`` for an address that is none."""
        for address in (sender, recipient):
            if _NOT_IN_PATH.search(address):
                raise ValueError("an address holds what no command may hold")
        body = _dotted(content)
        size = f" SIZE={len(content)}" if self._size else ""
        mail, rcpt = (
            f"MAIL FROM:<{sender}>{size}\r\n".encode(),
            f"RCPT TO:<{recipient}>\r\n".encode(),
        )
        try:
            if self._pipelining:
                await self._send_at_once(mail, rcpt, body)
            else:
                await self._send_in_turn(mail, rcpt, body)
        except NotTaken:
            try:
                await self._say(b"RSET\r\n")
            except OSError:  # also the time limit
                self.abort()
            raise
        except BaseException:
            self.abort()
            raise

    async def _send_in_turn(self, mail: bytes, rcpt: bytes, body: bytes) -> None:
        _expect(await self._say(mail), 2)
        _expect(await self._say(rcpt), 2, of_recipient=True)
        _expect(await self._say(b"DATA\r\n"), 3)
        _expect(await self._say(body), 2)

    async def _send_at_once(self, mail: bytes, rcpt: bytes, body: bytes) -> None:
        """All three answers are waited for, whatever the first one says."""
        self._write(mail + rcpt + b"DATA\r\n", 3)
        answers = [await self._answer() for _ in range(3)]
        if answers[2].code // 100 == 3 and any(each.code // 100 != 2 for each in answers[:2]):
            await self._say(b".\r\n")  # it waits for a message that nobody gets
        _expect(answers[0], 2)
        _expect(answers[1], 2, of_recipient=True)
        _expect(answers[2], 3)
        _expect(await self._say(body), 2)

    async def quit(self) -> None:
        """Say goodbye, if the server still listens."""
        if not self.usable:
            self.abort()
            return
        try:
            async with asyncio.timeout(QUIT_SECONDS):
                await self._say(b"QUIT\r\n")
        except OSError:  # also the time limit
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """End it at once: nothing that is still under way is waited for."""
        self._ended = True
        self._transport.abort()

    async def _say(self, words: bytes) -> Answer:
        self._write(words, 1)
        return await self._answer()

    def _write(self, words: bytes, answers: int) -> None:
        if not self.usable:
            raise Broken("the connection has ended")
        self._expected += answers
        self._transport.write(words)

    async def _answer(self) -> Answer:
        if not self._answers:
            if self._ended:
                raise Broken("the connection has ended")
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(self._seconds):
                    await self._waiting
            finally:
                self._waiting = None
        return self._answers.pop(0)

    # What the event loop calls.

    def data_received(self, data: bytes) -> None:
        self._came += data
        if len(self._came) > MAX_ANSWER or len(self._lines) > MAX_ANSWER // 64:
            self._fail("the answer does not end")
            return
        while (end := self._came.find(b"\n")) >= 0:
            line = self._came[:end].decode("utf-8", "replace").rstrip("\r")
            del self._came[: end + 1]
            code, more, text = line[:3], line[3:4], line[4:]
            if not (
                code.isascii() and code.isdigit() and len(code) == 3 and more in ("", " ", "-")
            ):
                self._fail("what came is no SMTP")
                return
            self._lines.append(text.strip())
            if more != "-":
                self._take(Answer(int(code), "\n".join(self._lines)))
                self._lines.clear()

    def _take(self, answer: Answer) -> None:
        if not self._expected:
            self._fail("an answer that nobody asked for")  # most often 421: it hangs up
            return
        self._expected -= 1
        self._answers.append(answer)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("the connection ended")

    def _fail(self, why: str) -> None:
        self.abort()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(Broken(why))


def _expect(answer: Answer, kind: int, *, of_recipient: bool = False) -> None:
    if answer.code // 100 != kind:
        raise NotTaken(answer, of_recipient=of_recipient)


def _dotted(content: bytes) -> bytes:
    """As it goes over the wire (RFC 5321, 4.5.2). No line end but CRLF, so that no server finds the end
    of the message elsewhere."""
    if not content.count(b"\n") == content.count(b"\r") == content.count(b"\r\n"):
        content = _LINE_END.sub(b"\r\n", content)
    dotted = content.replace(b"\r\n.", b"\r\n..")
    start = b"." if dotted.startswith(b".") else b""
    end = b".\r\n" if dotted.endswith(b"\r\n") else b"\r\n.\r\n"
    return start + dotted + end

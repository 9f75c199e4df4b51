"""A mail server on this machine that delivers nowhere: it keeps what the services send, to be shown."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cached_property
from typing import Any

from aiosmtpd.smtp import SMTP


@dataclass(frozen=True)
class Mail:
    """``at`` is the demo's own time. Read only when somebody looks: few of thousands are shown."""

    at: datetime
    to: str
    content: bytes

    @cached_property
    def subject(self) -> str:
        return str(self._message["subject"]).strip()

    @cached_property
    def text(self) -> str:
        return _part(self._message, "plain")

    @cached_property
    def html(self) -> str:
        return _part(self._message, "html")

    @cached_property
    def _message(self) -> EmailMessage:
        return message_from_bytes(self.content, policy=policy.default)


class Mailbox:
    """All mails since the start, in order of arrival."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.mails: list[Mail] = []
        self.port = 0
        self._now = now

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  (aiosmtpd's name)
        """Called by the server for each message."""
        self.mails.append(Mail(self._now(), ", ".join(envelope.rcpt_tos), bytes(envelope.content)))
        return "250 kept"


def _part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    return "" if body is None else str(body.get_content()).replace("\r\n", "\n").strip()


@asynccontextmanager
async def mail_server(now: Callable[[], datetime]) -> AsyncIterator[Mailbox]:
    """A mailbox behind SMTP on a free port of this machine, until the context ends."""
    mailbox = Mailbox(now)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(mailbox, hostname="localhost", loop=loop), "127.0.0.1", 0
    )
    async with server:
        mailbox.port = server.sockets[0].getsockname()[1]
        yield mailbox

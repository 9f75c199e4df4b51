"""A notifier on its own, with its clock, its bus and its mail server in the test's hand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from dealreg_notifier.app import build
from dealreg_notifier.settings import NotifierSettings
from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.contracts.catalogue import ESCALATION, decode
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.ids import new_event_id
from dealreg_shared.runtime import Service
from tests.factories.migrated import migrated
from tests.factories.notifier import START, Publisher


class Clock:
    """Time that stands still until the test moves it."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def to(self, offset: timedelta) -> None:
        """``offset`` after the start."""
        self.at = START + offset


@dataclass  # no slots: the server inspects its handler, which Python 3.11.2 cannot do with them
class MailServer:
    """A real SMTP server. ``answers`` are given to the next messages instead of taking them."""

    messages: list[EmailMessage] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    after_taking: Callable[[], Awaitable[object]] | None = None
    refused: set[str] = field(default_factory=set)
    passwords: dict[bytes, bytes] = field(default_factory=dict)
    port: int = 0

    async def handle_RCPT(  # noqa: N802  (aiosmtpd's name)
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if address in self.refused:
            return f"550 5.1.1 <{address}>: no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    def may_log_in(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any
    ) -> AuthResult:
        return AuthResult(success=self.passwords.get(given.login) == given.password, handled=False)

    async def handle_DATA(  # noqa: N802  (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.answers:
            return self.answers.pop(0)
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        if self.after_taking is not None:
            await self.after_taking()
        return "250 OK"

    def to(self, person_id: str) -> list[EmailMessage]:
        """Messages for one person, in order of arrival."""
        return [mail for mail in self.messages if f"{person_id}@example.com" in mail["To"]]


@asynccontextmanager
async def mail_server(passwords: dict[bytes, bytes] | None = None) -> AsyncIterator[MailServer]:
    """A server for anybody, or for those with a password."""
    handler = MailServer(passwords=passwords or {})
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(
            handler,
            hostname="mail.test",
            enable_SMTPUTF8=True,
            authenticator=handler.may_log_in,
            auth_require_tls=False,
        ),
        "127.0.0.1",
        0,
    )
    handler.port = server.sockets[0].getsockname()[1]
    try:
        yield handler
    finally:
        server.close()
        await server.wait_closed()


@dataclass(slots=True)
class World:
    """A notifier on its own, with the bus, the clock and the other services' side in the test's hand."""

    service: Service
    bus: EmbeddedBus
    clock: Clock
    others: Publisher
    http: httpx.AsyncClient

    async def settle(self) -> None:
        """Until nothing moves: messages, timers, deliveries."""
        while await self.service.drain():
            pass
        await self.service.tick()
        while await self.service.drain():
            pass

    async def at(self, offset: timedelta) -> None:
        """Move to ``offset`` after the start and let happen what is due."""
        self.clock.to(offset)
        await self.settle()

    def until(self, instant: str) -> timedelta:
        """From the start to an instant that an answer names."""
        return datetime.fromisoformat(instant) - START

    async def events(self) -> list[Event[Any]]:
        """Everything that notifier has published, from the beginning."""
        async with self.bus.subscribe(f"test-{new_event_id()}", [ESCALATION]) as subscription:
            deliveries = await subscription.fetch(1_000, 0)
        return [decode(delivery.message.value or b"") for delivery in deliveries]

    async def inbox(self, headers: dict[str, str], **query: Any) -> list[dict[str, Any]]:
        """The caller's notices, the oldest first."""
        answer = await self.http.get("/v1/notifications", headers=headers, params=query)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items[::-1]


@asynccontextmanager
async def world(folder: Path, **settings: Any) -> AsyncIterator[World]:
    """A migrated notifier on SQLite and the embedded bus."""
    clock = Clock()
    bus = EmbeddedBus(folder / "bus.db")
    configured = NotifierSettings(data_dir=folder, key_cache_seconds=0, **settings)
    service = build(configured, bus=bus, now=clock)
    await migrated(service.database, service.name)
    transport = httpx.ASGITransport(app=service.app)
    try:
        async with (
            service.open(),
            httpx.AsyncClient(transport=transport, base_url="http://notifier") as http,
        ):
            yield World(service, bus, clock, Publisher(bus, clock), http)
    finally:
        await bus.close()


def mail_settings(server: MailServer) -> dict[str, Any]:
    return {
        "notifier_smtp_host": "127.0.0.1",
        "notifier_smtp_port": server.port,
        "notifier_smtp_from": "Partner desk <desk@example.org>",
        "notifier_smtp_timeout_seconds": 10.0,
    }

"""Each channel with a real other side that can be told how to behave."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from dealreg_notifier.channels import slack, teams, webhook
from dealreg_notifier.channels.email import EmailChannel
from dealreg_notifier.channels.port import Action, Channel, Contact, Outbound, Place
from dealreg_notifier.channels.webhook import new_secret
from dealreg_notifier.settings import NotifierSettings
from dealreg_shared.outbound import OutboundClient
from tests.factories.outbound import Receiver, Request, answered, receiver

ADDRESS = "mia.private@example.com"
TOKEN = "hush-hush-token"
OWN_WORDS = "their-own-words"


def outbound(delivery_id: str, place: Place | None, **changes: Any) -> Outbound:
    values: dict[str, Any] = {
        "delivery_id": delivery_id,
        "kind": "ladder",
        "contact": Contact("mia", "Mia Private", ADDRESS if place is None else None),
        "title": "Decide by Friday: <Contoso> & Söhne",
        "text": "Plain text",
        "html": "<p>HTML</p>",
        "created_at": datetime(2026, 11, 21, 14, 0, tzinfo=UTC),
        "language": "en",
        "notification_id": "ntf_1",
        "recipient": "mia",
        "subject": "cnf_1",
        "body": "A paragraph.\n\n- one\n- two\n\nAnother <b>& last</b>.",
        "facts": {"zone": "UTC", "programme_name": "P"},
        "actions": (Action("Take the case", f"https://deals.example.com/decide/{TOKEN}"),),
        "place": place,
    }
    return Outbound(**(values | changes))


class Rig(Protocol):
    """A channel and its other side."""

    channel: Channel
    place: Place | None

    def busy(self) -> None:
        """From now on: try again later, in words of its own."""

    def final(self) -> None:
        """From now on: never again, in words of its own."""

    def well(self) -> None:
        """From now on: taken."""

    def silent(self) -> None:
        """From now on: takes the message and never answers."""

    def garbled(self) -> None:
        """From now on: says what no such server says, and hangs up."""

    def ids(self) -> list[str]:
        """Which delivery ids arrived, in order."""


@dataclass
class HttpRig:
    """A channel that posts."""

    channel: Channel
    place: Place | None
    server: Receiver
    final_status: int = 410

    def busy(self) -> None:
        self.server.answers = [answered(503, OWN_WORDS.encode())]

    def final(self) -> None:
        self.server.answers = [answered(self.final_status, OWN_WORDS.encode())]

    def well(self) -> None:
        self.server.answers = [answered(200, b"ok")]

    def silent(self) -> None:
        async def never(_request: Request, _writer: asyncio.StreamWriter) -> None:
            await asyncio.Event().wait()

        self.server.answers = [never]

    def garbled(self) -> None:
        async def nonsense(_request: Request, writer: asyncio.StreamWriter) -> None:
            writer.write(bytes(range(256)))
            writer.close()

        self.server.answers = [nonsense]

    def ids(self) -> list[str]:
        return [
            request.headers.get("webhook-id") or _between(request.body.decode())
            for request in self.server.requests
        ]


@dataclass
class RawMail:
    """An SMTP server in twenty lines, for what a whole one would never do."""

    mode: str = "well"
    ids: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"220 mail.test\r\n")
            while line := await reader.readline():
                command = line[:4].upper()
                if command == b"DATA":
                    await self._data(reader, writer)
                elif command == b"RCPT" and self.mode == "final":
                    writer.write(f"550 5.1.1 <{ADDRESS}> {OWN_WORDS}\r\n".encode())
                elif command == b"RCPT" and self.mode == "busy":
                    writer.write(f"451 4.3.0 <{ADDRESS}> {OWN_WORDS}\r\n".encode())
                elif command == b"QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                else:
                    writer.write(b"250 OK\r\n")
                await writer.drain()
        except OSError:
            pass  # the caller hung up, which is its right
        finally:
            writer.close()

    async def _data(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"354 go on\r\n")
        while (line := await reader.readline()) not in (b".\r\n", b""):
            if line.lower().startswith(b"message-id:"):
                self.ids.append(line.decode().partition("<")[2].partition("@")[0])
        if self.mode == "silent":
            await asyncio.Event().wait()
        writer.write(bytes(range(128, 256)) + b"\r\n" if self.mode == "garbled" else b"250 OK\r\n")


@dataclass
class MailRig:
    """E-mail."""

    channel: Channel
    server: RawMail
    place: Place | None = None

    def busy(self) -> None:
        self.server.mode = "busy"

    def final(self) -> None:
        self.server.mode = "final"

    def well(self) -> None:
        self.server.mode = "well"

    def silent(self) -> None:
        self.server.mode = "silent"

    def garbled(self) -> None:
        self.server.mode = "garbled"

    def ids(self) -> list[str]:
        return self.server.ids


def _between(text: str) -> str:
    """The delivery id in a card's small print."""
    plain = text.replace("\\", "")
    return plain[plain.index("dlv_") :].split('"')[0]


@asynccontextmanager
async def email_rig() -> AsyncIterator[MailRig]:
    raw = RawMail()
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(raw.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    settings = NotifierSettings(
        notifier_smtp_host="127.0.0.1",
        notifier_smtp_port=server.sockets[0].getsockname()[1],
        notifier_smtp_from="Partner desk <desk@example.org>",
        notifier_smtp_timeout_seconds=0.5,
    )
    try:
        yield MailRig(EmailChannel(settings), raw)
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def http_rig(kind: str) -> AsyncIterator[HttpRig]:
    client = OutboundClient(loopback=True, seconds=0.5)
    channels: dict[str, Channel] = {
        "webhook": webhook.channel(client),
        "slack": slack.channel(client, 10),
        "teams": teams.channel(client, 10),
    }
    async with receiver() as server:
        url = f"http://127.0.0.1:{server.port}/services/{TOKEN}"
        place = Place("whk_1", url, (new_secret(),) if kind == "webhook" else ())
        yield HttpRig(channels[kind], place, server)
    await client.close()

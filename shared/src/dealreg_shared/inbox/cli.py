"""The commands ``parked list|show|mend|drop|discard|replay``, for a service's command line to mount.

A service gives a callable that opens what the commands need; nothing is opened before a command runs.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from dealreg_shared.db import Database
from dealreg_shared.inbox import park
from dealreg_shared.inbox.consume import Consumer
from dealreg_shared.inbox.replaying import ReplayStopped
from dealreg_shared.inbox.tables import InboxTables

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Inbox:
    """What the commands work on."""

    database: Database
    tables: InboxTables
    consumers: Sequence[Consumer]

    def consumer(self, group: str) -> Consumer:
        """Raises ``UnknownConsumer``, naming those that there are."""
        for consumer in self.consumers:
            if consumer.group == group:
                return consumer
        names = ", ".join(consumer.group for consumer in self.consumers)
        raise UnknownConsumer(f"no consumer is named {group}; there are: {names}")


class UnknownConsumer(Exception):
    """A consumer was named that this service does not have."""


Opening = Callable[[], AbstractAsyncContextManager[Inbox]]

Group = Annotated[str, typer.Argument(help="The consumer, such as coverage-registration.")]
Topic = Annotated[str, typer.Argument(help="The topic, such as dealreg.registration.")]
Key = Annotated[str, typer.Argument(help="The key, such as an account id.")]
Id = Annotated[int, typer.Argument(help="The message's number, as `show` gives it.")]
Version = Annotated[int, typer.Argument(help="The version that the key waits for.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept.")]

_EXPECTED = (
    UnknownConsumer,
    ReplayStopped,
    park.ParkedEventUnknown,
    park.MendRefused,
    park.DropRefused,
)


def parked_commands(open_inbox: Opening) -> typer.Typer:
    """The commands, over what ``open_inbox`` opens. Mount them under the name ``parked``."""
    app = typer.Typer(
        no_args_is_help=True, help="Events that could not be applied, and the keys they hold up."
    )

    def run(work: Callable[[Inbox], Awaitable[T]]) -> T:
        async def opened() -> T:
            async with open_inbox() as inbox:
                return await work(inbox)

        try:
            return asyncio.run(opened())
        except _EXPECTED as error:
            typer.echo(f"{error}.", err=True)
            raise typer.Exit(1) from None

    @app.command("list")
    def list_() -> None:
        """Keys with events set aside, the oldest first."""
        keys = run(lambda inbox: park.list_parked(inbox.database, inbox.tables))
        for key in keys:
            since = f"{key.since:%Y-%m-%d %H:%M:%S}Z" if key.since else "-"
            typer.echo(
                f"{key.status or 'unreadable'}  {since}  {key.consumer}  {key.topic}  {key.key}  "
                f"applied {key.applied_version}, aside {key.events}\n    {key.reason or '-'}"
            )
        typer.echo(f"{len(keys)} keys")

    @app.command()
    def show(consumer: Group, topic: Topic, key: Key) -> None:
        """The messages of a key that stand aside, in their order."""
        events = run(
            lambda inbox: park.show_parked(inbox.database, inbox.tables, consumer, topic, key)
        )
        for event in events:
            version = "no version" if event.version is None else f"version {event.version}"
            mended = ", mended" if event.original is not None else ""
            typer.echo(f"[{event.id}] {version}{mended}: {event.reason or 'stands behind'}")
            typer.echo(_shown(event.body))

    @app.command()
    def mend(
        message: Id,
        file: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="The whole event.")],
    ) -> None:
        """Replace a message by the event in a file; what it was is kept."""
        body = file.read_bytes()
        version = run(lambda inbox: park.mend(inbox.database, inbox.tables, message, body))
        typer.echo(f"mended, version {version}; now replay its key")

    @app.command()
    def drop(consumer: Group, topic: Topic, key: Key, version: Version, reason: Reason) -> None:
        """Go on without an event, whether it is here or was lost."""
        run(
            lambda inbox: park.drop(
                inbox.database, inbox.tables, consumer, topic, key, version, reason
            )
        )
        typer.echo(f"dropped version {version}; now replay {key}")

    @app.command()
    def discard(message: Id, reason: Reason) -> None:
        """Close a message that is no event."""
        run(lambda inbox: park.discard(inbox.database, inbox.tables, message, reason))
        typer.echo("discarded")

    @app.command()
    def replay(consumer: Group, topic: Topic, key: Key) -> None:
        """Apply a key's events in their order, then let the key go on."""
        applied = run(lambda inbox: inbox.consumer(consumer).replay(topic, key))
        typer.echo(f"{applied} applied; {key} goes on")

    return app


def _shown(body: bytes | None) -> str:
    if body is None:
        return "    (no value: a tombstone, or lost)"
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return f"    {body[:2000]!r}"

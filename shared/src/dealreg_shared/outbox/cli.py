"""The command ``outbox send-again``, for a service's command line to mount."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Protocol, TypeVar

import typer

from dealreg_shared.contracts.catalogue import TOPICS
from dealreg_shared.db import Database
from dealreg_shared.outbox.archive import RelayHolds, send_again
from dealreg_shared.outbox.tables import OutboxTables

T = TypeVar("T")


class OnDatabase(Protocol):
    """Runs work on the service's configured database, which is opened for it alone."""

    def __call__(self, use: Callable[[Database], Awaitable[T]]) -> T: ...


def outbox_commands(service: str, tables: OutboxTables, on_database: OnDatabase) -> typer.Typer:
    """The commands over the outbox ``tables`` of ``service``. Mount them under the name ``outbox``."""
    app = typer.Typer(no_args_is_help=True, help="What this service has sent, and sends again.")
    written = sorted(name for name, topic in TOPICS.items() if topic.owner == service)

    @app.callback()
    def _group() -> None:
        """Keeps ``send-again`` a command of its own."""

    @app.command("send-again")
    def send_again_command(
        topic: Annotated[
            str | None, typer.Argument(help=f"Of {', '.join(written)}.", show_default=False)
        ] = None,
        every: Annotated[
            bool, typer.Option("--all", help="Every topic that this service writes.")
        ] = False,
    ) -> None:
        """Fill a log that lost its events, from the archive. Only while the service is stopped.

        Marks every event that was sent as not sent; the service carries them over in their order when
        it starts. Consumers ignore what they have applied. It may be done again.
        """
        if (topic is None) != every:
            typer.echo("Name a topic, or say --all.", err=True)
            raise typer.Exit(2)
        if topic is not None and topic not in written:
            typer.echo(
                f"{service} does not write {topic}; it writes {', '.join(written)}.", err=True
            )
            raise typer.Exit(2)
        topics = written if topic is None else [topic]

        async def mark(database: Database) -> Mapping[str, int]:
            return await database.write(lambda conn: send_again(conn, tables, topics))

        try:
            marked = on_database(mark)
        except RelayHolds as error:
            typer.echo(
                f"{error}. Stop every process of {service}; if one was killed, wait until then. "
                "Nothing was changed.",
                err=True,
            )
            raise typer.Exit(1) from None
        for name, count in marked.items():
            typer.echo(f"{name}: {count} events will be sent again")
        typer.echo(f"Start {service}.")

    return app

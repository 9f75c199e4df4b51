"""The command line that every service has when it runs alone: ``serve``, ``migrate``, ``outbox``.

A service adds commands of its own to the application that ``command_line`` makes. Settings are read when
a command runs, never before; wrong ones end it with a sentence and exit code 78.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Generic, Protocol, TypeVar

import typer

from dealreg_shared import serve
from dealreg_shared.bus.factory import make_bus
from dealreg_shared.bus.port import Bus
from dealreg_shared.config import ConfigurationError, SharedSettings, load
from dealreg_shared.db import Database
from dealreg_shared.db.engine import utc_now
from dealreg_shared.db.migrate import migrate as migrate_database
from dealreg_shared.outbox.cli import outbox_commands
from dealreg_shared.outbox.tables import OutboxTables
from dealreg_shared.runtime import Service

S = TypeVar("S", bound=SharedSettings)
T = TypeVar("T")


class Build(Protocol[S]):  # type: ignore[misc]  # a parameter of a protocol's call needs no variance
    """A service's composition root."""

    def __call__(self, settings: S, *, bus: Bus, now: Callable[[], datetime]) -> Service: ...


@dataclass(frozen=True, slots=True)
class Standalone(Generic[S]):
    """A service that runs alone. ``package`` holds its migrations."""

    name: str
    package: str
    settings: type[S]
    build: Build[S]
    make_database: Callable[[S], Database]
    outbox: OutboxTables

    def load(self) -> S:
        """The settings; wrong ones end the process with a sentence."""
        try:
            settings = load(self.settings)
            settings.prepare()
        except ConfigurationError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(serve.MISCONFIGURED) from None
        return settings

    def assemble(self, settings: S) -> Service:
        """The service on a bus of its own, which it closes when it stops."""
        bus = make_bus(settings)
        service = self.build(settings, bus=bus, now=utc_now)
        service.close_afterwards(bus.close)
        return service

    def with_database(self, use: Callable[[Database, S], Awaitable[T]]) -> T:
        """Run ``use`` on the configured database."""
        settings = self.load()

        async def run() -> T:
            database = self.make_database(settings)
            try:
                return await use(database, settings)
            finally:
                await database.dispose()

        return asyncio.run(run())

    def command_line(self) -> typer.Typer:
        """What every service has; a service adds its own to it."""
        cli = typer.Typer(
            no_args_is_help=True, add_completion=False, help=f"Dealreg's {self.name}."
        )

        @cli.command("serve")
        def serve_command() -> None:
            """Migrate, then listen and work until stopped."""
            settings = self.load()
            raise typer.Exit(serve.run(settings, lambda: [self.assemble(settings)]))

        @cli.command()
        def migrate(
            revision: Annotated[str, typer.Argument(help="An Alembic revision.")] = "head",
        ) -> None:
            """Bring the database to a revision."""
            self.with_database(
                lambda database, _: migrate_database(database, self.package, revision)
            )
            typer.echo(f"{self.name}: database is at {revision}")

        def on_database(use: Callable[[Database], Awaitable[T]]) -> T:
            return self.with_database(lambda database, _: use(database))

        cli.add_typer(outbox_commands(self.name, self.outbox, on_database), name="outbox")
        return cli

"""Command line of a coverage service that runs alone: serve, migrate, rebuild, what is parked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import typer

from dealreg_coverage.app import NAME, PACKAGE, build, make_database, make_desk
from dealreg_coverage.consumers import consumers
from dealreg_coverage.rebuild import LogIncomplete, rebuild
from dealreg_coverage.settings import CoverageSettings
from dealreg_coverage.tables import INBOX, OUTBOX
from dealreg_shared.bus.factory import make_bus
from dealreg_shared.bus.port import BusError
from dealreg_shared.db import Database
from dealreg_shared.inbox.cli import Inbox, parked_commands
from dealreg_shared.standalone import Standalone

service = Standalone(NAME, PACKAGE, CoverageSettings, build, make_database, OUTBOX)
cli = service.command_line()


@cli.command("rebuild")
def rebuild_command() -> None:
    """Make all sums again from the log. Safe beside a running service; all or nothing."""

    async def work(database: Database, settings: CoverageSettings) -> int:
        bus = make_bus(settings)
        try:
            return await rebuild(database, bus, make_desk(settings))
        finally:
            await bus.close()

    try:
        applied = service.with_database(work)
    except (LogIncomplete, BusError) as error:
        typer.echo(f"{error}. Nothing was changed.", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{NAME}: made again from {applied} events")


@asynccontextmanager
async def _inbox() -> AsyncIterator[Inbox]:
    settings = service.load()
    database, bus = make_database(settings), make_bus(settings)
    try:
        yield Inbox(database, INBOX, consumers(database, bus, make_desk(settings)))
    finally:
        await bus.close()
        await database.dispose()


cli.add_typer(parked_commands(_inbox), name="parked")


def main() -> None:
    """Entry point of ``dealreg-coverage``."""
    cli(prog_name="dealreg-coverage")


if __name__ == "__main__":
    main()

"""Command line of a coverage service that runs alone: serve, migrate, rebuild, what is parked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer

from dealreg_coverage.app import NAME, PACKAGE, build, make_database, make_desk
from dealreg_coverage.consumers import consumers
from dealreg_coverage.rebuild import LogIncomplete, rebuild
from dealreg_coverage.settings import CoverageSettings
from dealreg_coverage.tables import INBOX
from dealreg_shared import serve
from dealreg_shared.bus.factory import make_bus
from dealreg_shared.bus.port import BusError
from dealreg_shared.config import ConfigurationError, load
from dealreg_shared.db import Database
from dealreg_shared.db.engine import utc_now
from dealreg_shared.db.migrate import migrate as migrate_database
from dealreg_shared.inbox.cli import Inbox, parked_commands
from dealreg_shared.runtime import Service

cli = typer.Typer(no_args_is_help=True, add_completion=False, help="Dealreg's coverage.")


@cli.command("serve")
def serve_command() -> None:
    """Migrate, then listen and consume until stopped."""
    settings = _settings()

    def services() -> list[Service]:
        bus = make_bus(settings)
        service = build(settings, bus=bus, now=utc_now)
        service.stop = bus.close
        return [service]

    raise typer.Exit(serve.run(settings, services))


@cli.command()
def migrate(
    revision: Annotated[str, typer.Argument(help="An Alembic revision.")] = "head",
) -> None:
    """Bring the database to a revision."""
    _with_database(lambda database, _: migrate_database(database, PACKAGE, revision))
    typer.echo(f"{NAME}: database is at {revision}")


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
        applied = _with_database(work)
    except (LogIncomplete, BusError) as error:
        typer.echo(f"{error}. Nothing was changed.", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{NAME}: made again from {applied} events")


@asynccontextmanager
async def _inbox() -> AsyncIterator[Inbox]:
    settings = _settings()
    database, bus = make_database(settings), make_bus(settings)
    try:
        yield Inbox(database, INBOX, consumers(database, bus, make_desk(settings)))
    finally:
        await bus.close()
        await database.dispose()


cli.add_typer(parked_commands(_inbox), name="parked")


def _settings() -> CoverageSettings:
    try:
        settings = load(CoverageSettings)
        settings.prepare()
    except ConfigurationError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(serve.MISCONFIGURED) from None
    return settings


def _with_database(use: Callable[[Database, CoverageSettings], Awaitable[Any]]) -> Any:
    settings = _settings()

    async def run() -> Any:
        database = make_database(settings)
        try:
            return await use(database, settings)
        finally:
            await database.dispose()

    return asyncio.run(run())


def main() -> None:
    """Entry point of ``dealreg-coverage``."""
    cli(prog_name="dealreg-coverage")


if __name__ == "__main__":
    main()

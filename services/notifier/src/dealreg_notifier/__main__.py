"""Command line of a notifier that runs alone: serve, migrate, and what was put aside."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer

from dealreg_notifier import deliveries, tables
from dealreg_notifier.app import NAME, build, make_database
from dealreg_notifier.domain.errors import NotifierError
from dealreg_notifier.settings import NotifierSettings
from dealreg_shared import serve
from dealreg_shared.bus.factory import make_bus
from dealreg_shared.config import ConfigurationError, load
from dealreg_shared.db import Database, app_now
from dealreg_shared.db.engine import utc_now
from dealreg_shared.db.migrate import migrate as migrate_database
from dealreg_shared.inbox import Consumer
from dealreg_shared.inbox.cli import Inbox, parked_commands
from dealreg_shared.runtime import Service

cli = typer.Typer(no_args_is_help=True, add_completion=False, help="Dealreg's notifier.")
dead_letters = typer.Typer(no_args_is_help=True, help="Notices that were put aside.")
cli.add_typer(dead_letters, name="dead-letters")


@cli.command("serve")
def serve_command() -> None:
    """Migrate, then listen, consume and deliver until stopped."""
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
    _with_database(lambda database: migrate_database(database, "dealreg_notifier", revision))
    typer.echo(f"{NAME}: database is at {revision}")


@dead_letters.command("list")
def list_dead() -> None:
    """What was put aside, the oldest first."""
    rows = _with_database(lambda database: database.read(deliveries.dead))
    for row in rows:
        typer.echo(
            f"{row['delivery_id']}  {row['created_at']:%Y-%m-%d %H:%M}  {row['channel']}  "
            f"{row['recipient']}  {row['title']}\n    {row['error']}"
        )
    typer.echo(f"{len(rows)} put aside")


@dead_letters.command("replay")
def replay_dead(
    delivery_ids: Annotated[list[str], typer.Argument(help="Deliveries, by id.")],
) -> None:
    """Send them again; a running notifier does it at its next tick."""
    ids = list(dict.fromkeys(delivery_ids))
    _with_database(
        lambda database: database.write(lambda conn: deliveries.replay(conn, ids, app_now(conn)))
    )
    typer.echo(f"{len(ids)} will be sent again")


@asynccontextmanager
async def _inbox() -> AsyncIterator[Inbox]:
    settings = _settings()
    bus = make_bus(settings)
    service = build(settings, bus=bus, now=utc_now)
    listening = [flow for flow in service.flows if isinstance(flow, Consumer)]
    try:
        yield Inbox(service.database, tables.inbox, listening)
    finally:
        await bus.close()
        await service.database.dispose()


cli.add_typer(parked_commands(_inbox), name="parked")


def _settings() -> NotifierSettings:
    try:
        settings = load(NotifierSettings)
        settings.prepare()
    except ConfigurationError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(serve.MISCONFIGURED) from None
    return settings


def _with_database(use: Callable[[Database], Awaitable[Any]]) -> Any:
    """Run ``use`` on the configured database; a domain error is a sentence and exit code 1."""
    settings = _settings()

    async def run() -> Any:
        database = make_database(settings)
        try:
            return await use(database)
        finally:
            await database.dispose()

    try:
        return asyncio.run(run())
    except NotifierError as error:
        typer.echo(f"{error}.", err=True)
        raise typer.Exit(1) from None


def main() -> None:
    """Entry point of ``dealreg-notifier``."""
    cli(prog_name="dealreg-notifier")


if __name__ == "__main__":
    main()

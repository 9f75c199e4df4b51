"""Command line of a registration service that runs alone: serve, migrate, first key, what is parked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import typer

from dealreg_registration.app import (
    NAME,
    PACKAGE,
    build,
    first_admin_key,
    make_database,
    make_outbox,
)
from dealreg_registration.consumers import consumers
from dealreg_registration.log_cli import log_commands
from dealreg_registration.settings import RegistrationSettings
from dealreg_registration.tables import inbox, outbox
from dealreg_shared.bus.factory import make_bus
from dealreg_shared.inbox.cli import Inbox, parked_commands
from dealreg_shared.standalone import Standalone

service = Standalone(NAME, PACKAGE, RegistrationSettings, build, make_database, outbox)
cli = service.command_line()


@cli.command("admin-key")
def admin_key() -> None:
    """Make and show a first admin key, if none works yet."""
    secret = service.with_database(
        lambda database, settings: first_admin_key(database, make_outbox(settings))
    )
    if secret is None:
        typer.echo("An admin key works already; make further keys with it (POST /v1/keys).")
        raise typer.Exit(1)
    typer.echo(secret)


@asynccontextmanager
async def _inbox() -> AsyncIterator[Inbox]:
    settings = service.load()
    database, bus = make_database(settings), make_bus(settings)
    try:
        yield Inbox(database, inbox, consumers(database, bus))
    finally:
        await bus.close()
        await database.dispose()


cli.add_typer(parked_commands(_inbox), name="parked")
cli.add_typer(log_commands(service), name="log")


def main() -> None:
    """Entry point of ``dealreg-registration``."""
    cli(prog_name="dealreg-registration")


if __name__ == "__main__":
    main()

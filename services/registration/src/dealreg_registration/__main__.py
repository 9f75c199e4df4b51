"""Command line of a registration service that runs alone: serve, migrate, the first key."""

import asyncio
from typing import Annotated

import typer

from dealreg_registration.app import NAME, build, first_admin_key, make_database, make_outbox
from dealreg_registration.settings import RegistrationSettings
from dealreg_shared import serve
from dealreg_shared.bus.factory import make_bus
from dealreg_shared.config import ConfigurationError, load
from dealreg_shared.db.engine import utc_now
from dealreg_shared.db.migrate import migrate as migrate_database
from dealreg_shared.runtime import Service

cli = typer.Typer(no_args_is_help=True, add_completion=False, help="Dealreg's registration.")


@cli.command("serve")
def serve_command() -> None:
    """Migrate, then listen and relay until stopped."""
    settings = _settings()

    def services() -> list[Service]:
        bus = make_bus(settings)
        service = build(settings, bus=bus, now=utc_now)
        finish = service.stop

        async def stop() -> None:
            await finish()
            await bus.close()

        service.stop = stop
        return [service]

    raise typer.Exit(serve.run(settings, services))


@cli.command()
def migrate(
    revision: Annotated[str, typer.Argument(help="An Alembic revision.")] = "head",
) -> None:
    """Bring the database to a revision."""
    settings = _settings()

    async def run() -> None:
        database = make_database(settings)
        try:
            await migrate_database(database, "dealreg_registration", revision)
        finally:
            await database.dispose()

    asyncio.run(run())
    typer.echo(f"{NAME}: database is at {revision}")


@cli.command("admin-key")
def admin_key() -> None:
    """Make and show a first admin key, if none works yet."""
    settings = _settings()

    async def run() -> str | None:
        database = make_database(settings)
        try:
            return await first_admin_key(database, make_outbox(settings))
        finally:
            await database.dispose()

    secret = asyncio.run(run())
    if secret is None:
        typer.echo("An admin key works already; make further keys with it (POST /v1/keys).")
        raise typer.Exit(1)
    typer.echo(secret)


def _settings() -> RegistrationSettings:
    try:
        settings = load(RegistrationSettings)
        settings.prepare()
    except ConfigurationError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(serve.MISCONFIGURED) from None
    return settings


def main() -> None:
    """Entry point of ``dealreg-registration``."""
    cli(prog_name="dealreg-registration")


if __name__ == "__main__":
    main()

"""Command line of a registration service that runs alone: serve, migrate, the first key."""

import typer

from dealreg_registration.app import (
    NAME,
    PACKAGE,
    build,
    first_admin_key,
    make_database,
    make_outbox,
)
from dealreg_registration.settings import RegistrationSettings
from dealreg_shared.standalone import Standalone

service = Standalone(NAME, PACKAGE, RegistrationSettings, build, make_database)
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


def main() -> None:
    """Entry point of ``dealreg-registration``."""
    cli(prog_name="dealreg-registration")


if __name__ == "__main__":
    main()

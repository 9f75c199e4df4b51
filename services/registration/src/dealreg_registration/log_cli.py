"""What the keepers of the log do by hand: check all of it, and rotate the key that signs."""

from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Connection

from dealreg_registration.log_check import Report, check_log
from dealreg_registration.root_file import read_roots
from dealreg_registration.settings import RegistrationSettings
from dealreg_registration.signing_keys import SigningKeys
from dealreg_shared.db import Database
from dealreg_shared.receipts import Root
from dealreg_shared.standalone import Standalone


def log_commands(service: Standalone[RegistrationSettings]) -> typer.Typer:
    """The commands under ``log``."""
    commands = typer.Typer(no_args_is_help=True, help="The log over the audit.")

    @commands.command("verify")
    def verify(
        roots: Annotated[
            Path | None,
            typer.Option(
                "--roots",
                help="A file of roots that was kept elsewhere; else the one of the settings.",
                dir_okay=False,
                show_default=False,
            ),
        ] = None,
    ) -> None:
        """Check every entry and every root. Ends with 1 if anything does not fit."""

        async def check(database: Database, settings: RegistrationSettings) -> Report:
            kept = _kept(roots, settings)

            def work(conn: Connection) -> Report:
                return check_log(conn, settings.programme, kept)

            return await database.read(work)

        try:
            report = service.with_database(check)
        except (OSError, ValueError) as error:
            typer.echo(f"{error}.", err=True)
            raise typer.Exit(1) from None
        for finding in report.findings:
            typer.echo(f"NOT  {finding}")
        verdict = "verifies" if not report.findings else "DOES NOT VERIFY"
        typer.echo(
            f"The log {verdict}: {report.entries} entries for {report.rows} audit rows under "
            f"{report.roots} roots, {report.kept_roots} roots kept outside; {report.waiting} rows wait "
            "to be sealed."
        )
        raise typer.Exit(1 if report.findings else 0)

    @commands.command("rotate-key")
    def rotate_key() -> None:
        """Sign with a new key. What was signed before stays good: its public key stays published."""

        async def rotate(database: Database, settings: RegistrationSettings) -> str:
            return await database.write(SigningKeys(settings.signing_key()).rotate)

        try:
            key_id = service.with_database(rotate)
        except ValueError as error:
            typer.echo(f"{error}.", err=True)
            raise typer.Exit(1) from None
        typer.echo(f"receipts and roots are signed with key {key_id} from now on")

    return commands


def _kept(given: Path | None, settings: RegistrationSettings) -> list[Root]:
    path = given or settings.roots_file()
    if given is None and not path.exists():
        return []
    return list(read_roots(path))

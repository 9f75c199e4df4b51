"""Command line of a notifier that runs alone: serve, migrate, and what was put aside."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from dealreg_notifier import put_aside, tables
from dealreg_notifier.app import NAME, PACKAGE, SOURCE, build, make_database
from dealreg_notifier.domain.errors import NotifierError
from dealreg_notifier.settings import NotifierSettings
from dealreg_notifier.signing import Keyring
from dealreg_shared.bus.factory import make_bus
from dealreg_shared.db import Database, app_now
from dealreg_shared.db.engine import utc_now
from dealreg_shared.inbox import Consumer
from dealreg_shared.inbox.cli import Inbox, parked_commands
from dealreg_shared.outbox import Outbox
from dealreg_shared.standalone import Standalone

service = Standalone(NAME, PACKAGE, NotifierSettings, build, make_database, tables.outbox)
cli = service.command_line()
dead_letters = typer.Typer(no_args_is_help=True, help="Notices that were put aside.")
cli.add_typer(dead_letters, name="dead-letters")


@dead_letters.command("list")
def list_dead() -> None:
    """What was put aside, the oldest first."""
    rows = service.with_database(lambda database, _: database.read(put_aside.dead))
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
    try:
        service.with_database(
            lambda database, _: database.write(
                lambda conn: put_aside.replay(conn, ids, app_now(conn))
            )
        )
    except NotifierError as error:
        typer.echo(f"{error}.", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{len(ids)} will be sent again")


link_keys = typer.Typer(no_args_is_help=True, help="The key that signs links in mails.")
cli.add_typer(link_keys, name="link-keys")


@link_keys.command("rotate")
def rotate_link_key(
    revoke: Annotated[
        bool, typer.Option("--revoke", help="Links that were sent open nothing any more.")
    ] = False,
) -> None:
    """Sign with a new key. Links that were sent still work until they expire, unless revoked."""

    async def rotate(database: Database, settings: NotifierSettings) -> str:
        outbox = Outbox(tables.outbox, SOURCE, settings.programme)
        ring = Keyring(outbox, settings.link_key())
        return await database.write(lambda conn: ring.rotate(conn, app_now(conn), revoke=revoke))

    try:
        key_id = service.with_database(rotate)
    except ValueError as error:
        typer.echo(f"{error}.", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"links are signed with key {key_id} from now on")


@asynccontextmanager
async def _inbox() -> AsyncIterator[Inbox]:
    settings = service.load()
    bus = make_bus(settings)
    built = build(settings, bus=bus, now=utc_now)
    listening = [flow for flow in built.flows if isinstance(flow, Consumer)]
    try:
        yield Inbox(built.database, tables.inbox, listening)
    finally:
        await bus.close()
        await built.database.dispose()


cli.add_typer(parked_commands(_inbox), name="parked")


def main() -> None:
    """Entry point of ``dealreg-notifier``."""
    cli(prog_name="dealreg-notifier")


if __name__ == "__main__":
    main()

"""``dealreg auditor``: the auditor as a process of its own, and what a person says to its findings."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Connection
from sqlalchemy.dialects.sqlite import insert

from dealreg.auditor.app import FILE, build
from dealreg.auditor.log_tables import accepted, metadata
from dealreg.auditor.settings import auditor_settings
from dealreg.settings import all_settings
from dealreg.terminal import out, refuse
from dealreg_shared import serve
from dealreg_shared.bus.factory import make_bus
from dealreg_shared.config import ConfigurationError
from dealreg_shared.db import Database, app_now
from dealreg_shared.runtime import Service

auditor_app = typer.Typer(
    no_args_is_help=True, help="Does everything agree, and does everything move?"
)

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data", help="The data folder; else DEALREG_DATA_DIR, else ./data.", file_okay=False
    ),
]


@auditor_app.command("serve")
def serve_command(data: DataDir = None) -> None:
    """Watch the three services and the log until stopped; set the same environment as theirs."""
    try:
        settings = auditor_settings({} if data is None else {"data_dir": data})
        services = all_settings(data_dir=settings.data_dir)
    except ConfigurationError as error:
        refuse(str(error), serve.MISCONFIGURED)

    def assemble() -> list[Service]:
        bus = make_bus(settings)
        service = build(settings, services, bus=bus, alone=True)
        service.close_afterwards(bus.close)
        return [service]

    raise typer.Exit(serve.run(settings, assemble))


@auditor_app.command()
def accept(
    check: Annotated[str, typer.Argument(help="The check, as `/v1/audit/health` names it.")],
    about: Annotated[str, typer.Argument(help="The first id of the finding.")],
    reason: Annotated[str, typer.Option(help="Why it may stay as it is.")],
    data: DataDir = None,
) -> None:
    """A finding was looked at and stays as it is: it is counted as accepted, and alarms no more."""
    if not reason.strip():
        refuse("Say with --reason why the finding may stay.")
    try:
        folder = auditor_settings({} if data is None else {"data_dir": data}).data_dir
    except ConfigurationError as error:
        refuse(str(error), serve.MISCONFIGURED)
    file = folder / FILE
    if not file.is_file():
        refuse(f"There is no {file}; name the auditor's data folder with --data.")
    asyncio.run(_accept(Database(f"sqlite:///{file}"), check, about, reason))
    out().print(f"{check} {about}: accepted.", markup=False)


async def _accept(database: Database, check: str, about: str, reason: str) -> None:
    def work(conn: Connection) -> None:
        conn.execute(
            insert(accepted)
            .values(check_name=check, about=about, reason=reason, at=app_now(conn))
            .on_conflict_do_update(
                index_elements=[accepted.c.check_name, accepted.c.about], set_={"reason": reason}
            )
        )

    try:
        await database.write(metadata.create_all)
        await database.write(work)
    finally:
        await database.dispose()

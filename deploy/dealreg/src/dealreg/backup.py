"""``dealreg backup`` and ``dealreg restore``: the embedded data folder, as of one instant.

Backup may run while Dealreg runs. What the backup holds is what a power cut at that instant would have
left: after restoring, unsent events are sent, and a message that went out between the backup and the
loss may go out once more. With PostgreSQL and Kafka use their own tools.
"""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import MetaData

from dealreg import snapshot
from dealreg.settings import all_settings
from dealreg.terminal import MISUSED, out, refuse
from dealreg_shared.config import ConfigurationError
from dealreg_shared.outbox import outbox_tables

DataDir = Annotated[
    Path | None,
    typer.Option("--data", help="The data folder; else DEALREG_DATA_DIR.", file_okay=False),
]


def backup(
    target: Annotated[Path, typer.Argument(help="New folder for the backup.", file_okay=False)],
    data: DataDir = None,
) -> None:
    """Copy the data folder as of this instant into a new folder."""
    try:
        manifest = snapshot.take(files(data), target, datetime.now(UTC))
    except snapshot.BackupRefused as error:
        refuse(str(error))
    out().print(f"{len(manifest['files'])} files as of {manifest['taken_at']} in {target}")


def restore(
    source: Annotated[Path, typer.Argument(help="A folder made by backup.", file_okay=False)],
    data: DataDir = None,
) -> None:
    """Copy a backup into an empty data folder. Stop Dealreg first."""
    try:
        manifest = snapshot.put_back(source, files(data), end_leases)
    except snapshot.BackupRefused as error:
        refuse(str(error))
    out().print(f"{len(manifest['files'])} files as of {manifest['taken_at']} restored")


def end_leases(copy: sqlite3.Connection) -> None:
    """The relays that held them are gone; without this their successors would wait a minute."""
    lease = outbox_tables(MetaData()).lease.name
    if copy.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (lease,)).fetchone():
        copy.execute(f"DELETE FROM {lease}")


def files(data: Path | None) -> dict[str, Path]:
    """Name in the backup -> file, of everything that the embedded shape stores. Ends the command with a
    sentence where the settings name servers instead of files."""
    try:
        settings = all_settings(**({} if data is None else {"data_dir": data}))
    except ConfigurationError as error:
        refuse(str(error), MISUSED)
    found: dict[str, Path] = {}
    for name, each in settings.items():
        url = each.database_url(name)
        if not url.startswith("sqlite:///"):
            refuse(f"{name} is not on SQLite; use its database's own backup.", MISUSED)
        found[f"{name}.db"] = Path(url.removeprefix("sqlite:///"))
    bus = next(iter(settings.values()))
    if bus.bus != "embedded":
        refuse("The bus is Kafka; its topics are its own record.", MISUSED)
    found["bus.db"] = bus.bus_file
    return found

"""``dealreg doctor``: what is configured, what can be reached, what is behind. Changes nothing."""

import asyncio
import os
import smtplib
import ssl
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import typer
from alembic.script import ScriptDirectory
from rich.table import Table
from sqlalchemy import Connection, MetaData, column, func, inspect, select, table
from sqlalchemy.exc import SQLAlchemyError

from dealreg.audit_now import audited
from dealreg.backup import DataDir
from dealreg.diagnosis import Finding, State
from dealreg.distributed import SERVERS, servers_environment
from dealreg.occupancy import occupant
from dealreg.settings import all_settings, settings_of
from dealreg.terminal import FAILED, out, refuse
from dealreg_notifier.settings import NotifierSettings
from dealreg_shared import serve
from dealreg_shared.bus.factory import make_bus
from dealreg_shared.config import ConfigurationError, SharedSettings, shown_value
from dealreg_shared.db import Database, UtcDateTime, app_now
from dealreg_shared.db.migrate import alembic_config
from dealreg_shared.inbox import inbox_tables
from dealreg_shared.inbox.park import list_parked
from dealreg_shared.outbox import outbox_tables

LATE_SECONDS = 60.0
"""An outbox row or a timer that waits longer than this means that something does not run."""

SMTP_SECONDS = 5.0

COLOURS: Mapping[State, str] = {
    "ok": "green",
    "behind": "yellow",
    "wrong": "red",
    "not set up": "dim",
}


def doctor(data: DataDir = None) -> None:
    """Say what is configured, reachable and behind. Exit code 1 if anything is wrong or behind."""
    try:
        settings = _beside_a_run(all_settings(**({} if data is None else {"data_dir": data})))
    except ConfigurationError as error:
        refuse(str(error), serve.MISCONFIGURED)
    findings = asyncio.run(examine(settings))
    listing = Table(box=None, padding=(0, 1))
    for name in ("what", "state", "detail"):
        listing.add_column(name, overflow="fold")
    for finding in findings:
        colour = COLOURS[finding.state]
        listing.add_row(finding.what, f"[{colour}]{finding.state}[/]", finding.detail)
    console = out()
    console.print(listing)
    named = sorted(name for name in os.environ if name.startswith("DEALREG_"))
    console.print(f"Set in the environment: {', '.join(named) or 'nothing'}", markup=False)
    if any(finding.state in ("wrong", "behind") for finding in findings):
        raise typer.Exit(FAILED)


def _beside_a_run(settings: dict[str, SharedSettings]) -> dict[str, SharedSettings]:
    """The settings of the ``up --distributed`` that runs from the data folder, where this environment
    names no servers. Raises ``ConfigurationError`` if they cannot be known here."""
    folder = settings["registration"].data_dir
    if any(os.environ.get(name) for name in SERVERS) or (servers := occupant(folder)) is None:
        return settings
    runs = f"`dealreg up --distributed` runs from {folder}"
    if servers == "named":
        raise ConfigurationError(
            f"{runs} with servers that its own environment names: set DEALREG_BUS=kafka, "
            f"{', '.join(SERVERS)} here as they are set there."
        )
    named = servers_environment(folder)
    if named is None:
        raise ConfigurationError(f"{runs} and is still starting its servers: try again.")
    out().print(f"{runs}; this looks at it.", markup=False)
    values = {name.removeprefix("DEALREG_").lower(): value for name, value in named.items()}
    return all_settings(data_dir=folder, bus="kafka", **values)


async def examine(settings: Mapping[str, SharedSettings]) -> list[Finding]:
    """Every finding, service by service."""
    findings: list[Finding] = []
    for name, each in settings.items():
        findings += await _database(name, each)
    findings.append(await _bus(settings["registration"]))
    findings += await audited(settings)
    mail = settings_of(NotifierSettings, settings)
    findings.append(await asyncio.to_thread(_mail, mail))
    return findings


async def _database(name: str, settings: SharedSettings) -> list[Finding]:
    url = settings.database_url(name)
    what = f"{name}: database"
    file = Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None
    if file is not None and not file.is_file():
        return [Finding(what, "not set up", f"there is no {file} yet; `dealreg up` makes it")]
    database = Database(url)
    try:
        return [
            Finding(what, "ok", shown_value(url)),
            *await _looked_at(name, database),
        ]
    except (SQLAlchemyError, OSError) as error:
        reason = str(error).splitlines()[0]
        return [Finding(what, "wrong", f"{shown_value(url)}: {reason}")]
    finally:
        await database.dispose()


async def _looked_at(name: str, database: Database) -> list[Finding]:
    findings = [await database.read(lambda conn: _migrations(conn, name))]
    if findings[0].state != "ok":
        return findings  # the other tables may not be as this version knows them
    findings.append(await database.read(lambda conn: _outbox(conn, name)))
    if name != "registration":
        findings.append(await _parked(name, database))
    if name == "notifier":
        findings.append(await database.read(_timers))
    return findings


def _migrations(conn: Connection, name: str) -> Finding:
    what = f"{name}: migrations"
    head = ScriptDirectory.from_config(alembic_config(f"dealreg_{name}")).get_current_head()
    at = None
    if inspect(conn).has_table("alembic_version"):
        version = table("alembic_version", column("version_num"))
        at = conn.execute(select(version.c.version_num)).scalar_one_or_none()
    if at == head:
        return Finding(what, "ok", f"at {at}")
    return Finding(
        what, "behind", f"at {at or 'nothing'}, this version has {head}; starting migrates"
    )


def _outbox(conn: Connection, name: str) -> Finding:
    rows = outbox_tables(MetaData()).outbox
    count, oldest = conn.execute(
        select(func.count(), func.min(rows.c.created_at)).where(rows.c.sent_at.is_(None))
    ).one()
    return _waiting(f"{name}: outbox", count, oldest, app_now(conn), "events wait to be sent")


def _timers(conn: Connection) -> Finding:
    rows = table("timer", column("state"), column("due_at", UtcDateTime()))
    now = app_now(conn)
    count, oldest = conn.execute(
        select(func.count(), func.min(rows.c.due_at, type_=UtcDateTime())).where(
            rows.c.state == "pending", rows.c.due_at <= now
        )
    ).one()
    return _waiting("notifier: timers", count, oldest, now, "timers are overdue")


def _waiting(what: str, count: int, oldest: datetime | None, now: datetime, words: str) -> Finding:
    if oldest is None:
        return Finding(what, "ok", f"no {words.replace(' are', '').replace(' wait', '')}")
    age = (now - oldest).total_seconds()
    state: State = "behind" if age > LATE_SECONDS else "ok"
    return Finding(what, state, f"{count} {words}, the oldest for {age:.0f} s")


async def _parked(name: str, database: Database) -> Finding:
    keys = await list_parked(database, inbox_tables(MetaData()))
    what = f"{name}: parked keys"
    if not keys:
        return Finding(what, "ok", "none")
    first = keys[0]
    return Finding(
        what,
        "behind",
        f"{len(keys)} keys stand aside, first {first.topic} {first.key}: {first.reason}; "
        f"see `dealreg parked {name} list`",
    )


async def _bus(settings: SharedSettings) -> Finding:
    if settings.bus == "embedded":
        what, where = "bus: embedded", str(settings.bus_file)
        if not settings.bus_file.is_file():
            return Finding(what, "not set up", f"there is no {where} yet; `dealreg up` makes it")
    else:
        what, where = "bus: Kafka", str(settings.kafka_bootstrap)
    bus = make_bus(settings)
    try:
        if await bus.healthy():
            return Finding(what, "ok", where)
        return Finding(what, "wrong", f"{where} does not answer")
    finally:
        await bus.close()


def _mail(settings: NotifierSettings) -> Finding:
    what = "notifier: mail"
    if settings.notifier_smtp_host is None:
        return Finding(what, "not set up", "no mail is sent; notices stand in the inbox")
    where = f"{settings.notifier_smtp_host}:{settings.notifier_smtp_port}"
    connect: Callable[..., smtplib.SMTP] = (
        smtplib.SMTP_SSL if settings.notifier_smtp_tls == "tls" else smtplib.SMTP
    )
    try:
        with connect(
            settings.notifier_smtp_host, settings.notifier_smtp_port, timeout=SMTP_SECONDS
        ) as server:
            if settings.notifier_smtp_tls == "starttls":
                server.starttls(context=ssl.create_default_context())
            server.noop()
    except (OSError, smtplib.SMTPException) as error:
        return Finding(what, "wrong", f"{where}: {error}")
    return Finding(what, "ok", where)

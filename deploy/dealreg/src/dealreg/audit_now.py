"""What the auditor would say now, for ``dealreg doctor``: whether one runs, and one pass over all.

The pass reads the databases as the auditor does, and the log as the auditor's file knows it. Without an
auditor that has just read it, the comparisons with the log are left out, and that is said. Changes
nothing, and leaves no heartbeat.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from dealreg.auditor.app import FILE, build
from dealreg.auditor.auditor import Auditor
from dealreg.auditor.comparing import Watched
from dealreg.auditor.limits import NoDatabase, TookTooLong
from dealreg.auditor.log_book import LogBook
from dealreg.auditor.settings import auditor_settings
from dealreg.diagnosis import Finding
from dealreg_shared.auditing.findings import Audited
from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.config import SharedSettings
from dealreg_shared.db import app_now
from dealreg_shared.heartbeat import AUDITOR, heartbeats

SILENT = timedelta(seconds=60)


async def audited(settings: Mapping[str, SharedSettings]) -> list[Finding]:
    """The auditor's last pass, and what does not agree now."""
    shared = settings["registration"]
    own = auditor_settings(
        {name: getattr(shared, name) for name in ("data_dir", "bus", "bus_path", "kafka_bootstrap")}
    )
    bus = EmbeddedBus(shared.bus_file)  # nothing is read from it here
    with TemporaryDirectory() as elsewhere:
        known = own.data_dir / FILE
        file = known if known.is_file() else Path(elsewhere) / FILE
        service = build(own, settings, bus=bus, file=file)
        log: LogBook = service.extras["log"]
        auditor: Auditor = service.extras["auditor"]
        try:
            if file is not known:
                await service.migrate()
            passed = await _last_pass(service.extras["watched"])
            if passed.state == "not set up":
                return [passed]
            await log.recall()
            await auditor.look_once()
            return [passed, *_told(auditor)]
        finally:
            await service.stop()
            await service.database.dispose()
            await bus.close()


async def _last_pass(services: Mapping[str, Watched]) -> Finding:
    what = "auditor: last pass"
    ages = []
    for each in services.values():
        try:
            beats, now = await each.database.read("doctor", partial(_beats, each.audited))
        except (NoDatabase, TookTooLong, SQLAlchemyError, OSError):
            return Finding(what, "not set up", "not all databases can be looked at; see above")
        if AUDITOR in beats:
            ages.append(now - beats[AUDITOR])
    if not ages:
        return Finding(what, "behind", "none yet; run `dealreg up` or `dealreg auditor serve`")
    age = min(ages)
    said = f"{age.total_seconds():.0f} s ago"
    if age > SILENT:
        return Finding(what, "behind", f"{said}: the auditor does not run or stands still")
    return Finding(what, "ok", said)


def _beats(audited: Audited, conn: Connection) -> tuple[Mapping[str, datetime], datetime]:
    return heartbeats(conn, audited.heartbeat), app_now(conn)


def _told(auditor: Auditor) -> list[Finding]:
    health = auditor.health()
    found = [
        Finding(f"audit: {fault.service}", "behind", f"{fault.check}: {fault.sentence}")
        for fault in health.findings
    ]
    if found:
        return found
    waits = sorted({check.check for check in health.checks if check.state == "settling"})
    left = f"; not compared with the log: {', '.join(waits)}" if waits else ""
    return [Finding("audit", "ok", f"{len(health.checks) - len(waits)} checks are clean{left}")]

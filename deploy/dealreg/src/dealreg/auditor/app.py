"""The auditor's composition root: all settings, the bus and a clock in, a ``Service`` out."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from time import monotonic

from dealreg.auditor.api import router
from dealreg.auditor.auditor import Auditor
from dealreg.auditor.comparing import Watched, comparing_jobs, own_jobs
from dealreg.auditor.limits import Limited
from dealreg.auditor.log_book import LogBook
from dealreg.auditor.log_tables import metadata
from dealreg.auditor.ping import ping
from dealreg.auditor.settings import AuditorSettings
from dealreg.auditor.watching import heartbeat_job, own_job
from dealreg_coverage.auditing import AUDITED as COVERAGE
from dealreg_notifier.auditing import AUDITED as NOTIFIER
from dealreg_registration.auditing import AUDITED as REGISTRATION
from dealreg_shared.auth import Authenticator
from dealreg_shared.bus.port import Bus
from dealreg_shared.config import SharedSettings
from dealreg_shared.db import Database
from dealreg_shared.db.engine import utc_now
from dealreg_shared.outbound import OutboundClient
from dealreg_shared.runtime import Service
from dealreg_shared.web.app import new_app

NAME = "auditor"
FILE = f"{NAME}.db"
"""What it knows of the log, in the data folder."""

POOL = 3
"""Connections per database: the watch, the books, and one that is stuck."""


def build(
    settings: AuditorSettings,
    services: Mapping[str, SharedSettings],
    *,
    bus: Bus,
    now: Callable[[], datetime] = utc_now,
    clock: Callable[[], float] = monotonic,
    file: Path | None = None,
    alone: bool = False,
) -> Service:
    """The auditor of the installation whose ``services`` have these settings. ``now`` is business time
    on SQLite; ``clock`` measures how long a heartbeat stands still; ``file`` is where it keeps what it
    knows of the log, if not in the data folder. ``alone``: in a process of its own, which is ready once
    it has looked."""
    watched = {
        audited.service: Watched(
            audited,
            Limited(
                Database(
                    services[audited.service].database_url(audited.service),
                    now=now,
                    pool_size=POOL,
                    by_index=True,
                ),
                settings.auditor_check_seconds,
            ),
        )
        for audited in (REGISTRATION, COVERAGE, NOTIFIER)
    }
    own = Database(f"sqlite:///{file or settings.data_dir / FILE}", now=now)
    log = LogBook(own, bus, now)
    client = OutboundClient(
        loopback=settings.auditor_ping_loopback, user_agent=f"Dealreg/{version('dealreg')}"
    )
    url = settings.auditor_ping_url
    auditor = Auditor(
        watched,
        log,
        now,
        None if url is None else partial(ping, client, url),
    )
    auditor.take_up(
        [
            *(
                heartbeat_job(
                    each, settings.auditor_watch_seconds, settings.auditor_silent_seconds, clock
                )
                for each in watched.values()
            ),
            *(job for each in watched.values() for job in own_jobs(each, often=True)),
            own_job(
                log,
                lambda: auditor.books_ended,
                settings.auditor_books_seconds,
                monotonic(),
            ),
        ],
        [
            *(job for each in watched.values() for job in own_jobs(each, often=False)),
            *comparing_jobs(watched, log),
        ],
    )

    async def migrated() -> None:
        settings.prepare()
        await own.write(metadata.create_all)

    async def nothing() -> None:
        """There is nothing to open."""

    async def stop() -> None:
        await client.close()
        for each in watched.values():
            await each.database.database.dispose()

    app = new_app(
        "Dealreg auditor",
        version("dealreg"),
        service=NAME,
        description="Does everything agree, and does everything move?",
        checks={"first look": auditor.has_looked} if alone else {},
        max_body=settings.http_max_body,
    )
    app.include_router(
        router(
            auditor,
            [
                Authenticator(
                    each.database.database,
                    each.audited.access,
                    utc_now,
                    cache_seconds=settings.key_cache_seconds,
                )
                for each in watched.values()
            ],
        )
    )
    return Service(
        name=NAME,
        app=app,
        database=own,
        migrate=migrated,
        flows=[
            log,
            *auditor.flows(
                watch_seconds=settings.auditor_watch_seconds,
                books_seconds=settings.auditor_books_seconds,
            ),
        ],
        ticks=[],
        start=nothing,
        stop=stop,
        extras={"auditor": auditor, "log": log, "watched": watched},
    )

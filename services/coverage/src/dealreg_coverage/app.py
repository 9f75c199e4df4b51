"""The composition root: settings, bus and clock in, a ``Service`` out. Nothing is made elsewhere."""

from collections.abc import Callable
from datetime import datetime, timedelta
from importlib.metadata import version

from fastapi import FastAPI

from dealreg_coverage import tables
from dealreg_coverage.api import errors, factors, findings, scores
from dealreg_coverage.consumers import consumers
from dealreg_coverage.handlers.desk import Desk
from dealreg_coverage.plans import PlanShelf
from dealreg_coverage.scheduler import ticks
from dealreg_coverage.settings import CoverageSettings
from dealreg_shared.auth import Authenticator
from dealreg_shared.bus.port import Bus
from dealreg_shared.db import Database
from dealreg_shared.db.engine import utc_now
from dealreg_shared.db.migrate import migrate
from dealreg_shared.heartbeat import Pulse
from dealreg_shared.outbox import Outbox, Relay
from dealreg_shared.runtime import Service
from dealreg_shared.web.app import new_app

NAME = "coverage"
PACKAGE = "dealreg_coverage"
SOURCE = "/dealreg/coverage"


def make_database(settings: CoverageSettings, now: Callable[[], datetime] = utc_now) -> Database:
    """Coverage's database. Connects to nothing yet."""
    return Database(settings.database_url(NAME), now=now, pool_size=settings.database_pool)


def make_desk(settings: CoverageSettings) -> Desk:
    """What the handlers need, with a shelf of plans of its own."""
    return Desk(PlanShelf(), Outbox(tables.OUTBOX, SOURCE, settings.programme))


def build(settings: CoverageSettings, *, bus: Bus, now: Callable[[], datetime]) -> Service:
    """The whole service. ``now`` is its business clock on SQLite; access keys expire in real time."""
    database = make_database(settings, now)
    desk = make_desk(settings)
    pulse = Pulse(database, tables.HEARTBEAT, NAME)

    async def migrated() -> None:
        await migrate(database, PACKAGE)

    async def nothing() -> None:
        """Coverage has no connections of its own to open or close."""

    return Service(
        name=NAME,
        app=_app(settings, database, bus, desk, pulse),
        database=database,
        migrate=migrated,
        flows=[
            *consumers(database, bus, desk),
            Relay(database, tables.OUTBOX, bus, f"{NAME}-relay"),
        ],
        ticks=ticks(database, desk, timedelta(seconds=settings.coverage_tick_seconds)),
        start=nothing,
        stop=nothing,
        extras={"desk": desk},
        pulse=pulse,
    )


def _app(
    settings: CoverageSettings, database: Database, bus: Bus, desk: Desk, pulse: Pulse
) -> FastAPI:
    authenticator = Authenticator(
        database, tables.ACCESS, utc_now, cache_seconds=settings.key_cache_seconds
    )

    app = new_app(
        "Dealreg coverage",
        version("dealreg-coverage"),
        service=NAME,
        description="Scores, gaps, overlap risk and targets, each with its explanation.",
        checks={"database": database.answers, "bus": bus.healthy},
        notes={"auditor": pulse.auditor},
        max_body=settings.http_max_body,
    )
    errors.install(app)
    app.include_router(scores.router(database, authenticator, desk.shelf))
    app.include_router(findings.router(database, authenticator, desk.shelf))
    app.include_router(factors.router(database, authenticator, desk))
    return app

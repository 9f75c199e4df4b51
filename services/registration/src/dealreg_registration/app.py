"""The composition root: settings, bus and clock in, a ``Service`` out. Nothing is made elsewhere."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from importlib.metadata import version

from fastapi import FastAPI

from dealreg_registration import tables
from dealreg_registration.api import errors
from dealreg_registration.api.case_acts import case_acts_router
from dealreg_registration.api.conflicts import conflicts_router
from dealreg_registration.api.decision_pages import decision_router
from dealreg_registration.api.filing_route import describe, filing_route
from dealreg_registration.api.history import history_router
from dealreg_registration.api.life import life_router
from dealreg_registration.api.plans import LARGER_BODIES
from dealreg_registration.api.programme import programme_routers
from dealreg_registration.api.programme_parts import ProgrammeParts
from dealreg_registration.api.referrals import referrals_router
from dealreg_registration.api.registrations import registrations_router
from dealreg_registration.api.transfers import transfers_router
from dealreg_registration.api.transparency import transparency_router
from dealreg_registration.consumers import consumers
from dealreg_registration.handlers.manage_keys import ensure_admin_key
from dealreg_registration.handlers.seal_log import LogSealer
from dealreg_registration.programme import Programme
from dealreg_registration.scheduler import ticks
from dealreg_registration.settings import RegistrationSettings
from dealreg_registration.signing_keys import SigningKeys
from dealreg_registration.writer import AccountWriter
from dealreg_shared.auth import Authenticator
from dealreg_shared.bus.port import Bus
from dealreg_shared.db import Database
from dealreg_shared.db.engine import utc_now
from dealreg_shared.db.migrate import migrate
from dealreg_shared.heartbeat import Pulse
from dealreg_shared.outbox import Outbox, Relay
from dealreg_shared.runtime import Service
from dealreg_shared.web.app import new_app

NAME = "registration"
PACKAGE = "dealreg_registration"
SOURCE = "/dealreg/registration"


def make_database(
    settings: RegistrationSettings, now: Callable[[], datetime] = utc_now
) -> Database:
    """Registration's database. Connects to nothing yet."""
    return Database(
        settings.database_url(NAME), now=now, pool_size=settings.database_pool, by_index=True
    )


def make_outbox(settings: RegistrationSettings) -> Outbox:
    """Registration's outbox, on its own tables."""
    return Outbox(tables.outbox, SOURCE, settings.programme)


def build(settings: RegistrationSettings, *, bus: Bus, now: Callable[[], datetime]) -> Service:
    """The whole service. ``now`` is its business clock on SQLite; access keys expire in real time."""
    database = make_database(settings, now)
    outbox = make_outbox(settings)
    relay = Relay(database, tables.outbox, bus, f"{NAME}-relay")
    pulse = Pulse(database, tables.heartbeat, NAME)
    programme = Programme()
    keys = SigningKeys(settings.signing_key())
    sealer = LogSealer(
        database,
        outbox,
        keys,
        programme=settings.programme,
        roots_file=settings.roots_file(),
        committed=relay.wake,
    )
    writer = AccountWriter(
        database,
        outbox,
        programme,
        audit=tables.audit,
        signer=keys.signer,
        committed=relay.wake,
    )
    authenticator = Authenticator(
        database, tables.access_key, utc_now, cache_seconds=settings.key_cache_seconds
    )

    async def migrated() -> None:
        await migrate(database, PACKAGE)

    async def load_plans() -> None:
        """Compile plans before a request needs them, not in it."""
        await programme.refresh(database)

    async def start() -> None:
        await keys.ensure(database)
        await load_plans()

    parts = ProgrammeParts(
        database=database,
        authenticator=authenticator,
        outbox=outbox,
        programme=settings.programme,
        committed=relay.wake,
        plans_changed=load_plans,
    )
    return Service(
        name=NAME,
        app=_app(settings, writer, parts, pulse, keys),
        database=database,
        migrate=migrated,
        flows=[relay, *consumers(database, bus)],
        ticks=ticks(
            database,
            writer,
            load_plans,
            keys,
            sealer,
            timedelta(days=settings.registration_answers_days),
        ),
        start=start,
        stop=writer.finish,
        extras={"ensure_admin_key": partial(first_admin_key, database, outbox), "sealer": sealer},
        pulse=pulse,
    )


async def first_admin_key(database: Database, outbox: Outbox) -> str | None:
    """The secret of a first admin key; None if an admin key works already. Keys live in real time."""
    return await database.write(lambda conn: ensure_admin_key(conn, utc_now(), outbox=outbox))


def _app(
    settings: RegistrationSettings,
    writer: AccountWriter,
    parts: ProgrammeParts,
    pulse: Pulse,
    keys: SigningKeys,
) -> FastAPI:
    database, authenticator = parts.database, parts.authenticator

    app = new_app(
        "Dealreg registration",
        version("dealreg-registration"),
        service=NAME,
        description="Deals are registered, decided at once, and kept in true order.",
        # Registration never refuses because the bus is away, so the bus is no part of readiness.
        checks={"database": database.answers},
        notes={"auditor": pulse.auditor},
        hot=[filing_route(database, writer, authenticator)],
        max_body=settings.http_max_body,
        larger_bodies=LARGER_BODIES,
    )
    errors.install(app)
    app.include_router(registrations_router(database, writer, authenticator))
    app.include_router(life_router(database, writer, authenticator))
    app.include_router(decision_router(database, writer))
    app.include_router(conflicts_router(database, writer, authenticator))
    app.include_router(case_acts_router(database, writer, authenticator))
    app.include_router(referrals_router(database, writer, authenticator))
    app.include_router(history_router(database, writer.programme, authenticator))
    app.include_router(transfers_router(database, writer, authenticator))
    app.include_router(
        transparency_router(database, writer.programme, authenticator, keys, settings.programme)
    )
    for router in programme_routers(parts):
        app.include_router(router)
    describe(app)
    return app

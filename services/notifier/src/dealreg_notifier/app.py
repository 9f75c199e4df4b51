"""The composition root: settings, bus and clock in, a ``Service`` out. Nothing is made elsewhere."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from importlib.metadata import version

from fastapi import FastAPI

from dealreg_notifier import tables
from dealreg_notifier.api import (
    bounces,
    errors,
    escalations,
    link_keys,
    notifications,
    preferences,
    stream,
    webhooks,
)
from dealreg_notifier.api import deliveries as deliveries_api
from dealreg_notifier.channels.registry import channels
from dealreg_notifier.consumers import consumers
from dealreg_notifier.handlers.deliver import Postman
from dealreg_notifier.linking import LinkMaker
from dealreg_notifier.notices import Desk
from dealreg_notifier.scheduler import ticks
from dealreg_notifier.settings import NotifierSettings
from dealreg_notifier.signing import Keyring
from dealreg_notifier.streams import Listeners
from dealreg_notifier.wording import in_language
from dealreg_shared.auth import Authenticator
from dealreg_shared.bus.port import Bus
from dealreg_shared.db import Database, app_now
from dealreg_shared.db.engine import utc_now
from dealreg_shared.db.migrate import migrate
from dealreg_shared.heartbeat import Pulse
from dealreg_shared.outbound import OutboundClient
from dealreg_shared.outbox import Outbox, Relay
from dealreg_shared.runtime import Service
from dealreg_shared.turns import Turns
from dealreg_shared.web.app import new_app

NAME = "notifier"
PACKAGE = "dealreg_notifier"
SOURCE = "/dealreg/notifier"

STREAMS_PER_KEY = 10
"""Open streams of one API key: pages of one reader."""


def make_database(settings: NotifierSettings, now: Callable[[], datetime] = utc_now) -> Database:
    """Notifier's database. Connects to nothing yet."""
    return Database(settings.database_url(NAME), now=now, pool_size=settings.database_pool)


def build(
    settings: NotifierSettings,
    *,
    bus: Bus,
    now: Callable[[], datetime],
    outbound: OutboundClient | None = None,
) -> Service:
    """The whole service. ``now`` is its business clock on SQLite; access keys expire in real time.

    ``outbound``: another way out for posts to endpoints than the settings' own.
    """
    database = make_database(settings, now)
    wording = in_language(None, settings.notifier_language)
    outbox = Outbox(tables.outbox, SOURCE, settings.programme)
    keyring = Keyring(outbox, settings.link_key())
    client = outbound or OutboundClient(
        loopback=settings.notifier_outbound_loopback,
        ca_file=settings.notifier_outbound_ca_file,
        user_agent=f"Dealreg/{version('dealreg-notifier')}",
        seconds=settings.notifier_outbound_seconds,
    )
    desk = Desk(wording=wording, channels=channels(settings, client), outbox=outbox)
    postman = Postman(
        database=database,
        desk=desk,
        channels={name: each for name, each in desk.channels.items() if not each.places},
        lease=timedelta(seconds=settings.notifier_lease_seconds),
        workers=settings.notifier_delivery_workers,
        storm_limit=settings.notifier_storm_limit,
        links=LinkMaker(
            (settings.notifier_public_url or "").rstrip("/") or None,
            timedelta(hours=settings.notifier_link_hours),
        ),
        keyring=keyring,
    )
    postmen = {
        "deliveries": postman,
        **{
            name: replace(postman, channels={name: each}, turns=Turns())
            for name, each in desk.channels.items()
            if each.places
        },
    }

    pulse = Pulse(database, tables.heartbeat, NAME)
    listeners = Listeners(database, settings.notifier_stream_connections, STREAMS_PER_KEY)

    async def migrated() -> None:
        await migrate(database, PACKAGE)

    async def key_ready() -> None:
        """There is a key to sign with before the first message leaves."""
        await database.write(lambda conn: keyring.ensure(conn, app_now(conn)))

    return Service(
        name=NAME,
        app=_app(settings, database, bus, desk, listeners, pulse),
        database=database,
        migrate=migrated,
        flows=[
            *consumers(database, bus, desk),
            Relay(database, tables.outbox, bus, f"{NAME}-relay"),
        ],
        ticks=ticks(
            database,
            desk,
            postmen,
            listeners,
            timedelta(seconds=settings.notifier_tick_seconds),
            timedelta(days=settings.notifier_delivery_log_days),
        ),
        start=key_ready,
        stop=client.close,
        extras={"postman": postman, "postmen": postmen, "desk": desk, "keyring": keyring},
        pulse=pulse,
    )


def _app(
    settings: NotifierSettings,
    database: Database,
    bus: Bus,
    desk: Desk,
    listeners: Listeners,
    pulse: Pulse,
) -> FastAPI:
    authenticator = Authenticator(
        database, tables.access, utc_now, cache_seconds=settings.key_cache_seconds
    )

    app = new_app(
        "Dealreg notifier",
        version("dealreg-notifier"),
        service=NAME,
        description="The escalation ladder, notices and their delivery.",
        checks={"database": database.answers, "bus": bus.healthy},
        notes={"auditor": pulse.auditor},
        max_body=settings.http_max_body,
    )
    errors.install(app)
    app.include_router(
        stream.router(
            database, authenticator, listeners, settings.notifier_stream_heartbeat_seconds
        )
    )
    app.include_router(notifications.router(database, authenticator))
    app.include_router(link_keys.router(database))
    app.include_router(preferences.router(database, authenticator, desk))
    app.include_router(escalations.router(database, authenticator))
    app.include_router(deliveries_api.router(database, authenticator))
    app.include_router(bounces.router(database, authenticator))
    app.include_router(
        webhooks.router(database, authenticator, desk, loopback=settings.notifier_outbound_loopback)
    )
    return app

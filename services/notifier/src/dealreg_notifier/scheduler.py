"""What time alone makes due: deadlines, deliveries. The ticking is ``dealreg_shared.scheduler``."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from sqlalchemy import Connection

from dealreg_notifier import store
from dealreg_notifier.handlers.deliver import Postman
from dealreg_notifier.handlers.timers import BATCH, fire_due
from dealreg_notifier.notices import Desk
from dealreg_notifier.retention import forget_old
from dealreg_notifier.streams import Listeners
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import Database, app_now
from dealreg_shared.runtime import Tick
from dealreg_shared.telemetry import metrics
from dealreg_shared.turns import Turns

_OVERDUE = metrics.gauge(
    "dealreg_notifier_oldest_overdue_seconds",
    "How long the most overdue timer has been waiting, after a tick.",
)

RETENTION = timedelta(hours=1)
"""How often what is old is forgotten."""


def ticks(
    database: Database,
    desk: Desk,
    postmen: Mapping[str, Postman],
    listeners: Listeners,
    every: timedelta,
    keep_log: timedelta,
) -> list[Tick]:
    """Timers first, so that what they say leaves in the same round. Each postman by itself: a slow
    endpoint holds up no mail."""
    fired = Turns()
    return [
        Tick("notifier-timers", every, timers_due(database, desk, fired), fired),
        Tick("notifier-streams", every, listeners.look),
        *[
            Tick(f"notifier-{name}", every, each.deliver_due, each.turns)
            for name, each in postmen.items()
        ],
        Tick("notifier-retention", RETENTION, forget_old(database, keep_log)),
    ]


def timers_due(
    database: Database, desk: Desk, some_done: Callable[[], None] = lambda: None
) -> Callable[[], Awaitable[int]]:
    """Fire all that is due, a batch per transaction. Returns how many timers fired."""

    async def run() -> int:
        fired = 0
        while True:
            batch = await database.write(lambda conn: fire_due(conn, desk))
            crashpoint("timers.committed")
            fired += batch
            some_done()
            if batch < BATCH:
                break
        _OVERDUE.set(await database.read(_overdue))
        return fired

    return run


def _overdue(conn: Connection) -> float:
    now = app_now(conn)
    oldest = store.oldest_due(conn, now)
    return 0.0 if oldest is None else (now - oldest).total_seconds()

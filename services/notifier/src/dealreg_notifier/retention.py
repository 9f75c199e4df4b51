"""Forgets what has been kept long enough: the delivery log of endpoints. Must not touch deliveries: what
was sent, and what is still to be sent, stands there.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from sqlalchemy import Connection, bindparam, delete, select, tuple_

from dealreg_notifier.tables import delivery_attempt
from dealreg_shared.db import Database, app_now

BATCH = 1000
"""Rows per transaction, so that nobody waits long for one."""

_LOG = delivery_attempt.c

_OLDEST = (
    select(_LOG.delivery_id, _LOG.attempt)
    .where(_LOG.at < bindparam("before"))
    .order_by(_LOG.at)
    .limit(BATCH)
    .with_for_update(skip_locked=True)
)
_FORGET = delete(delivery_attempt).where(tuple_(_LOG.delivery_id, _LOG.attempt).in_(_OLDEST))


def forget_old(database: Database, keep: timedelta) -> Callable[[], Awaitable[int]]:
    """A tick that deletes attempts older than ``keep``, a batch per transaction. Returns how many."""

    def batch(conn: Connection) -> int:
        return conn.execute(_FORGET, {"before": app_now(conn) - keep}).rowcount

    async def run() -> int:
        forgotten = 0
        while True:
            count = await database.write(batch)
            forgotten += count
            if count < BATCH:
                return forgotten

    return run

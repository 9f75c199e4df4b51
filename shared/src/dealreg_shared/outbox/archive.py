"""Fills a bus that lost its log from the outbox, which keeps every event it has sent.

Consumers ignore what they applied before, so sending all of it again is always safe. What must not be:
a newer event goes first, and a consumer that starts afresh finds a gap. So nothing may be sent while
rows are marked, and the shards are held meanwhile.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, or_, select, text

from dealreg_shared.db import app_now
from dealreg_shared.db.upsert import insert_new
from dealreg_shared.ids import new_id
from dealreg_shared.outbox.append import SHARDS
from dealreg_shared.outbox.relay import LEASE_SECONDS
from dealreg_shared.outbox.tables import OutboxTables


class RelayHolds(Exception):
    """A relay holds shards; ``until`` is when the last lease ends if it was killed."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"A relay holds shards of this outbox until {until:%H:%M:%S} UTC")
        self.until = until


def send_again(
    conn: Connection, tables: OutboxTables, topics: Collection[str]
) -> Mapping[str, int]:
    """Mark every event of ``topics`` as not sent; the next relay carries them over in their order.

    Returns how many by topic. Doing it twice does no harm. Raises ``RelayHolds`` while a relay holds a
    shard: one in mid-batch would mark its rows as sent again, though the bus lost them meanwhile.
    """
    if conn.dialect.name == "postgresql":
        conn.execute(text("SET LOCAL statement_timeout = 0"))  # one long statement: all or nothing
    holder = _hold(conn, tables)
    table = tables.outbox
    sent = (table.c.topic.in_(topics), table.c.sent_at.is_not(None))
    counted = conn.execute(
        select(table.c.topic, func.count()).where(*sent).group_by(table.c.topic)
    ).all()
    conn.execute(table.update().where(*sent).values(sent_at=None))
    conn.execute(tables.lease.delete().where(tables.lease.c.holder == holder))
    return dict.fromkeys(sorted(topics), 0) | {topic: int(count) for topic, count in counted}


def _hold(conn: Connection, tables: OutboxTables) -> str:
    """Take every shard until the transaction ends: a relay that starts meanwhile waits for it."""
    table, now, length = tables.lease, app_now(conn), timedelta(seconds=LEASE_SECONDS)
    holder = new_id("rly")
    conn.execute(table.delete().where(or_(table.c.until <= now, table.c.until > now + length)))
    insert_new(
        conn,
        table,
        [{"shard": shard, "holder": holder, "until": now + length} for shard in range(SHARDS)],
    )
    until = conn.execute(
        select(func.max(table.c.until, type_=table.c.until.type)).where(table.c.holder != holder)
    ).scalar()
    if until is not None:
        raise RelayHolds(until)
    return holder

"""Fills a bus that lost its log from the outbox, which keeps every event it has sent.

Consumers ignore what they applied before, so sending all of it again is always safe.
"""

from sqlalchemy import Connection

from dealreg_shared.outbox.tables import OutboxTables


def send_again(conn: Connection, tables: OutboxTables, topic: str) -> int:
    """Mark every event of ``topic`` as not sent; the relay carries them over in their order.

    Returns how many. Do it only while no relay runs: one that is in mid-batch would mark its rows as
    sent again, which is harmless unless the bus lost them meanwhile.
    """
    table = tables.outbox
    return conn.execute(
        table.update()
        .where(table.c.topic == topic, table.c.sent_at.is_not(None))
        .values(sent_at=None)
    ).rowcount

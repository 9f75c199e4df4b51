"""How far a consumer has come with a key: for an event that continues what stood under another key."""

from sqlalchemy import Connection, select

from dealreg_shared.inbox.applying import NotYet
from dealreg_shared.inbox.tables import InboxTables


def need(
    conn: Connection, tables: InboxTables, consumer: str, topic: str, key: str, version: int
) -> None:
    """Raises ``NotYet`` until ``consumer`` has applied ``version`` of ``key``."""
    table = tables.key
    applied = conn.execute(
        select(table.c.version).where(
            table.c.consumer == consumer, table.c.topic == topic, table.c.key == key
        )
    ).scalar_one_or_none()
    if applied is None or applied < version:
        raise NotYet(f"version {version} of {key} has not arrived")

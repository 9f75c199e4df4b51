"""The public keys with which links in mails are checked: a projection of ``dealreg.keys``.

Notifier holds the private halves. Registration never asks it: what has arrived here decides.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, String, Table, Text, or_, select, update

from dealreg_registration.metadata import metadata
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import UtcDateTime
from dealreg_shared.links import bytes_of

link_key = Table(
    "link_key",
    metadata,
    Column("key_id", String(64), primary_key=True),
    Column("public_key", Text, nullable=False),
    Column("valid_until", UtcDateTime),
)


def link_key_updated(conn: Connection, event: Event[Any]) -> None:
    """The latest value of a key wins."""
    crashpoint("link_key.arrived")
    data = event.data
    values = {"public_key": data.public_key, "valid_until": data.valid_until}
    mine = link_key.c.key_id == data.key_id
    if not conn.execute(update(link_key).where(mine).values(values)).rowcount:
        conn.execute(link_key.insert().values(key_id=data.key_id, **values))


def link_key_removed(conn: Connection, key_id: str) -> None:
    """Tombstone: links of this key open nothing any more."""
    conn.execute(link_key.delete().where(link_key.c.key_id == key_id))


def usable(conn: Connection, now: datetime) -> dict[str, bytes]:
    """Key id -> public key, of those that count at ``now``."""
    in_use = or_(link_key.c.valid_until.is_(None), link_key.c.valid_until > now)
    rows = conn.execute(select(link_key.c.key_id, link_key.c.public_key).where(in_use))
    return {row.key_id: bytes_of(row.public_key) for row in rows}

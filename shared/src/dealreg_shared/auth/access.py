"""The table of access keys that every service keeps, and the two handlers that fill it.

The topic ``dealreg.access`` is compacted: the latest value of a key wins and a tombstone deletes it, so
the handlers overwrite. Registration, which owns the keys, writes the same table with ``put_access``.
"""

from typing import Any

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, column, select, table

from dealreg_shared.contracts.envelope import Event
from dealreg_shared.contracts.people import AccessKeyUpdated
from dealreg_shared.db import UtcDateTime

TABLE = "access_key"

# The handlers are given a connection and an event, no table: this names the columns they need.
_ACCESS = table(
    TABLE,
    column("key_id", String),
    column("key_hash", String),
    column("role", String),
    column("partner_id", String),
    column("person_id", String),
    column("expires_at", UtcDateTime()),
    column("revoked_at", UtcDateTime()),
    column("requests_per_minute", Integer),
)


def access_table(metadata: MetaData) -> Table:
    """The table ``access_key``. Holds hashes only."""
    return Table(
        TABLE,
        metadata,
        Column("key_id", String(64), primary_key=True),
        Column("key_hash", String(64), nullable=False),
        Column("role", String(32), nullable=False),
        Column("partner_id", String(128), index=True),
        Column("person_id", String(128), index=True),
        Column("expires_at", UtcDateTime, nullable=False),
        Column("revoked_at", UtcDateTime),
        Column("requests_per_minute", Integer, nullable=False),
    )


def apply_access(conn: Connection, event: Event[Any]) -> None:
    """Handler of ``dealreg.access.key-updated.v1``."""
    put_access(conn, event.data)


def forget_access(conn: Connection, key: str) -> None:
    """Tombstone of the topic: the key with this id is gone."""
    conn.execute(_ACCESS.delete().where(_ACCESS.c.key_id == key))


def put_access(conn: Connection, access: AccessKeyUpdated) -> None:
    """Insert or overwrite one key."""
    values = access.model_dump()
    changed = conn.execute(
        _ACCESS.update().where(_ACCESS.c.key_id == access.key_id).values(values)
    ).rowcount
    if not changed:
        conn.execute(_ACCESS.insert().values(values))


def find_access(conn: Connection, access: Table, key_id: str) -> AccessKeyUpdated | None:
    """The key with this id, revoked and expired ones too."""
    row = conn.execute(select(access).where(access.c.key_id == key_id)).mappings().first()
    return None if row is None else AccessKeyUpdated(**row)

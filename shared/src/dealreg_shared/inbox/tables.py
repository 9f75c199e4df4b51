"""The inbox's tables, made in the metadata of the service that owns them.

``inbox_key`` holds one row per consumer, topic and key: the version applied last, and whether the key
is set aside. Whoever applies an event of a key locks this row first, so consumer, takeover and replay
cannot meet. ``inbox_aside`` holds the events of keys that are set aside; resolved ones stay as a record.
"""

from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

from dealreg_shared.db import UtcDateTime
from dealreg_shared.outbox.tables import KEY_LENGTH

WAITING = "waiting"
"""A fact of another topic is still to come; tried again by itself."""

PARKED = "parked"
"""An event cannot be applied; somebody has to look at it."""


@dataclass(frozen=True, slots=True)
class InboxTables:
    """The three tables of one service's inbox."""

    key: Table
    aside: Table
    consumer: Table


def inbox_tables(metadata: MetaData) -> InboxTables:
    """Add the tables ``inbox_key``, ``inbox_aside`` and ``inbox_consumer`` to ``metadata``."""
    key = Table(
        "inbox_key",
        metadata,
        Column("consumer", String(100), primary_key=True),
        Column("topic", String(100), primary_key=True),
        Column("key", String(KEY_LENGTH), primary_key=True),
        Column("version", BigInteger, nullable=False),
        Column("event_id", String(36)),
        Column("status", String(10)),
        Column("reason", Text),
        Column("since", UtcDateTime),
    )
    set_aside = key.c.status.is_not(None)
    Index(
        "ix_inbox_key_aside",
        key.c.consumer,
        key.c.status,
        sqlite_where=set_aside,
        postgresql_where=set_aside,
    )
    aside = Table(
        "inbox_aside",
        metadata,
        Column(
            "id",
            BigInteger().with_variant(Integer(), "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        Column("consumer", String(100), nullable=False),
        Column("topic", String(100), nullable=False),
        Column("key", String(KEY_LENGTH), nullable=False),
        Column("version", BigInteger),
        Column("body", LargeBinary),
        Column("original", LargeBinary),
        Column("partition", Integer, nullable=False),
        Column("offset", BigInteger, nullable=False),
        Column("reason", Text),
        Column("stored_at", UtcDateTime, nullable=False),
        Column("resolved_at", UtcDateTime),
        Column("resolution", Text),
    )
    open_ = aside.c.resolved_at.is_(None)
    Index(
        "ix_inbox_aside_open",
        aside.c.consumer,
        aside.c.topic,
        aside.c.key,
        aside.c.version,
        sqlite_where=open_,
        postgresql_where=open_,
    )
    return InboxTables(
        key=key,
        aside=aside,
        consumer=Table(
            "inbox_consumer",
            metadata,
            Column("consumer", String(100), primary_key=True),
            Column("rewind", Boolean, nullable=False),
        ),
    )

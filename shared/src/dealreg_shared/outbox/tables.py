"""The outbox's tables, made in the metadata of the service that owns them.

A row of ``outbox`` is an event that was decided; ``sent_at`` says whether the bus has acknowledged it.
Rows are never deleted: the sent ones are the archive from which an empty bus can be filled again, and
the index that the relay reads holds the unsent ones only.
"""

from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from dealreg_shared.db import UtcDateTime
from dealreg_shared.db.bulk import LONG_VALUES

KEY_LENGTH = 200

_Id = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts only INTEGER keys by itself


@dataclass(frozen=True, slots=True)
class OutboxTables:
    """The three tables of one service's outbox."""

    outbox: Table
    key_version: Table
    lease: Table


def outbox_tables(metadata: MetaData) -> OutboxTables:
    """Add the tables ``outbox``, ``outbox_key_version`` and ``outbox_lease`` to ``metadata``."""
    outbox = Table(
        "outbox",
        metadata,
        Column("id", _Id, primary_key=True, autoincrement=True),
        Column("shard", SmallInteger, nullable=False),
        Column("topic", String(100), nullable=False),
        Column("key", String(KEY_LENGTH), nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("body", Text),
        Column("created_at", UtcDateTime, nullable=False),
        Column("sent_at", UtcDateTime),
        UniqueConstraint("topic", "key", "version", name="uq_outbox_topic_key_version"),
        info=LONG_VALUES,
    )
    unsent = outbox.c.sent_at.is_(None)
    Index("ix_outbox_unsent", outbox.c.id, sqlite_where=unsent, postgresql_where=unsent)
    return OutboxTables(
        outbox=outbox,
        key_version=Table(
            "outbox_key_version",
            metadata,
            Column("topic", String(100), primary_key=True),
            Column("key", String(KEY_LENGTH), primary_key=True),
            Column("version", BigInteger, nullable=False),
        ),
        lease=Table(
            "outbox_lease",
            metadata,
            Column("shard", SmallInteger, primary_key=True, autoincrement=False),
            Column("holder", String(64), nullable=False),
            Column("until", UtcDateTime, nullable=False),
        ),
    )

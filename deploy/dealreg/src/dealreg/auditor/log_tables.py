"""What the auditor keeps in its own file, ``auditor.db``. Nothing here is anybody else's fact: all but
what a person accepted is made again from the log.
"""

from sqlalchemy import (
    Column,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from dealreg_shared.db import UtcDateTime

metadata = MetaData()

log_key = Table(
    "log_key",
    metadata,
    Column("topic", String(100), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("sums", LargeBinary, nullable=False),
)
log_fault = Table(
    "log_fault",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("topic", String(100), nullable=False),
    Column("key", String(200), nullable=False),
    Column("version", Integer, nullable=False),
    Column("kind", String(10), nullable=False),
    Column("sentence", Text, nullable=False),
    Column("found_at", UtcDateTime, nullable=False),
    UniqueConstraint("topic", "key", "version", "kind"),
)
log_begun = Table(
    "log_begun",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("current_at", UtcDateTime),
)
"""One row once the log is being read from its beginning; when all of it was last known."""

accepted = Table(
    "accepted",
    metadata,
    Column("check_name", String(100), primary_key=True),
    Column("about", String(200), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
"""Findings that a person has looked at and that stay as they are."""

log_place = Table(
    "log_place",
    metadata,
    Column("topic", String(100), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("first", Integer, nullable=False),
    Column("read", Integer, nullable=False),
)
"""Of each partition the first offset that it had, and the last one that was read; -1: none yet."""

log_loss = Table(
    "log_loss",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("topic", String(100), nullable=False),
    Column("sentence", Text),
    Column("found_at", UtcDateTime, nullable=False),
)
"""The log came again from its beginning, or is shorter than it was (``sentence``)."""

log_again = Table(
    "log_again",
    metadata,
    Column("topic", String(100), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("next", Integer, nullable=False),
)
"""What the log held before that: each key with its last version, until it has come again. ``next`` is
the version of it that is missing first."""

"""The log over the audit, its signed roots, and the keys that sign. Only the sealer adds to the log.

The audit itself is written plainly, in the transactions that decide; nothing here is touched by them.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
)

from dealreg_registration.metadata import metadata
from dealreg_shared.db import UtcDateTime

log_state = Table(
    "log_state",
    metadata,
    # One row, locked by whoever seals: what was sealed last.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("last_audit_id", BigInteger, nullable=False),
)

log_entry = Table(
    "log_entry",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    # NULL: it fills its block up and stands for nothing. No foreign key: an audit row that was taken
    # away must be missed by whoever checks, not take its entry along.
    Column("audit_id", BigInteger, unique=True),
    Column("salt", LargeBinary, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
)

log_node = Table(
    "log_node",
    metadata,
    # The hashes of complete subtrees, from those of a block upwards.
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
)

log_gap = Table(
    "log_gap",
    metadata,
    # Numbers of audit rows that were passed over: they belong to transactions that had not committed, or
    # never will. Looked for again until nothing that old can still be under way.
    Column("audit_id", BigInteger, primary_key=True, autoincrement=False),
    Column("since", UtcDateTime, nullable=False),
)

log_key = Table(
    "log_key",
    metadata,
    # Keys that sign receipts and roots. Public halves stay for ever, for what they have signed does.
    Column("key_id", String(64), primary_key=True),
    Column("private_key", Text),
    Column("public_key", Text, nullable=False),
    Column("current", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("retired_at", UtcDateTime),
)
Index(
    "ix_log_key_current",
    log_key.c.current,
    unique=True,
    sqlite_where=log_key.c.current,
    postgresql_where=log_key.c.current,
)

log_root = Table(
    "log_root",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("sealed_at", UtcDateTime, nullable=False, index=True),
    Column("key_id", String(64), ForeignKey("log_key.key_id"), nullable=False),
    Column("signature", LargeBinary, nullable=False),
)

"""The log over the audit: entries, subtrees, signed roots and the keys that sign.

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

from dealreg_shared.db import UtcDateTime

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "log_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("last_audit_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_state")),
    )
    op.execute("INSERT INTO log_state (id, size, last_audit_id) VALUES (1, 0, 0)")
    op.create_table(
        "log_entry",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("audit_id", sa.BigInteger(), nullable=True),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_log_entry")),
        sa.UniqueConstraint("audit_id", name=op.f("uq_log_entry_audit_id")),
    )
    op.create_table(
        "log_node",
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "index", name=op.f("pk_log_node")),
    )
    op.create_table(
        "log_gap",
        sa.Column("audit_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("audit_id", name=op.f("pk_log_gap")),
    )
    op.create_table(
        "log_key",
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("private_key", sa.Text(), nullable=True),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_log_key")),
    )
    op.create_index(
        "ix_log_key_current",
        "log_key",
        ["current"],
        unique=True,
        sqlite_where=sa.column("current"),
        postgresql_where=sa.column("current"),
    )
    op.create_table(
        "log_root",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_at", UtcDateTime(), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["log_key.key_id"], name=op.f("fk_log_root_key_id")),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_log_root")),
    )
    op.create_index(op.f("ix_log_root_sealed_at"), "log_root", ["sealed_at"])


def downgrade() -> None:
    """The log and its keys are gone with it: what was signed can then be checked by nobody."""
    for table in ("log_root", "log_key", "log_gap", "log_node", "log_entry", "log_state"):
        op.drop_table(table)

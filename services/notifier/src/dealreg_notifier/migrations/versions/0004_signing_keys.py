"""Keys that sign the links in mails.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

from dealreg_shared.db import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "signing_key",
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("private_key", sa.Text(), nullable=True),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("valid_until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_signing_key")),
    )
    op.create_index(
        "ix_signing_key_current",
        "signing_key",
        ["current"],
        unique=True,
        sqlite_where=sa.column("current"),
        postgresql_where=sa.column("current"),
    )


def downgrade() -> None:
    op.drop_table("signing_key")

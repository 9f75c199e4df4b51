"""Heartbeats of the parts that move by themselves.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

from dealreg_shared.db import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MAY_WRITE = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'dealreg_auditor') THEN
        GRANT INSERT, UPDATE ON heartbeat TO dealreg_auditor;
    END IF;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "heartbeat",
        sa.Column("part", sa.String(length=100), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("part"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(MAY_WRITE)


def downgrade() -> None:
    op.drop_table("heartbeat")

"""Heartbeats of the parts that move by themselves.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

from dealreg_shared.db import UtcDateTime

revision = "0015"
down_revision = "0014"
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
        sa.PrimaryKeyConstraint("part", name=op.f("pk_heartbeat")),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(MAY_WRITE)


def downgrade() -> None:
    op.drop_table("heartbeat")

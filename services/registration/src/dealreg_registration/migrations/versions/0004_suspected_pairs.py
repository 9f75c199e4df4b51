"""The other account of a possible duplicate.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("conflict", sa.Column("other_account_id", sa.String(length=64), nullable=True))
    op.create_index("ix_conflict_other_account_id", "conflict", ["other_account_id"])


def downgrade() -> None:
    op.drop_index("ix_conflict_other_account_id", table_name="conflict")
    op.drop_column("conflict", "other_account_id")

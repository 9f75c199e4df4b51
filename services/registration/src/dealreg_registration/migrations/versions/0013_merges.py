"""Accounts may be merged: claims know which account numbered them, and when they took their place.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

from dealreg_shared.db import UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("account", sa.Column("merged_into", sa.String(length=64), nullable=True))
    op.add_column(
        "account", sa.Column("absorbs", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("claim", sa.Column("taken_at", UtcDateTime(), nullable=True))
    op.add_column("claim", sa.Column("numbered_by", sa.String(length=64), nullable=True))
    op.execute("UPDATE claim SET numbered_by = account_id")
    with op.batch_alter_table("claim") as table:
        table.alter_column("numbered_by", existing_type=sa.String(length=64), nullable=False)
        table.drop_constraint(op.f("uq_claim_account_id_place"), type_="unique")
        table.create_unique_constraint(op.f("uq_claim_numbered_by_place"), ["numbered_by", "place"])
    op.create_index("ix_claim_account_id", "claim", ["account_id"])


def downgrade() -> None:
    """Only where nothing was merged: two numberings cannot be one again."""
    op.drop_index("ix_claim_account_id", table_name="claim")
    with op.batch_alter_table("claim") as table:
        table.drop_constraint(op.f("uq_claim_numbered_by_place"), type_="unique")
        table.create_unique_constraint(op.f("uq_claim_account_id_place"), ["account_id", "place"])
        table.drop_column("numbered_by")
        table.drop_column("taken_at")
    op.drop_column("account", "absorbs")
    op.drop_column("account", "merged_into")

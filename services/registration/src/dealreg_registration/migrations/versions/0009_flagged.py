"""Claims about which something is under way, found without looking at all.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_FLAGGED = sa.text("flags IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_claim_flagged",
        "claim",
        ["registration_id"],
        sqlite_where=_FLAGGED,
        postgresql_where=_FLAGGED,
    )


def downgrade() -> None:
    op.drop_index("ix_claim_flagged", table_name="claim")

"""When an audit row was written and since when it counts, where that is not when it happened.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

from dealreg_shared.db import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit", sa.Column("recorded_at", UtcDateTime(), nullable=True))
    op.add_column("audit", sa.Column("counts_from", UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("audit", "counts_from")
    op.drop_column("audit", "recorded_at")

"""The facts by which rulings are precedents.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

from dealreg_shared.db import JsonText

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ruling", sa.Column("features", JsonText(), nullable=True))
    op.add_column("ruling", sa.Column("outcome", sa.String(length=20), nullable=True))


def downgrade() -> None:
    op.drop_column("ruling", "outcome")
    op.drop_column("ruling", "features")

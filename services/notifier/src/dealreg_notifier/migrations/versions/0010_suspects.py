"""What a notice of a possible duplicate says of the other account.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

from dealreg_shared.db import JsonText

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("conflict_case", sa.Column("suspect", JsonText(), nullable=True))


def downgrade() -> None:
    op.drop_column("conflict_case", "suspect")

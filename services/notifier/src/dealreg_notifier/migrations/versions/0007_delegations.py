"""Who stands in for whom.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

from dealreg_shared.db import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "delegation",
        sa.Column("person_id", sa.String(length=128), nullable=False),
        sa.Column("delegate_id", sa.String(length=128), nullable=False),
        sa.Column("begins", UtcDateTime(), nullable=False),
        sa.Column("ends", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "delegate_id", "begins", name=op.f("pk_delegation")),
    )


def downgrade() -> None:
    op.drop_table("delegation")

"""The delivery log is looked through by age, to forget what is old.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_delivery_attempt_at", "delivery_attempt", ["at"])


def downgrade() -> None:
    op.drop_index("ix_delivery_attempt_at", table_name="delivery_attempt")

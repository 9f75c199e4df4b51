"""What was sent to a person within the last minute is found by an index.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NAME = "ix_delivery_recipient"
COLUMNS = ["recipient", "channel", "kind_group"]


def upgrade() -> None:
    op.drop_index(NAME, "delivery")
    op.create_index(NAME, "delivery", [*COLUMNS, "begun_at"])


def downgrade() -> None:
    op.drop_index(NAME, "delivery")
    op.create_index(NAME, "delivery", COLUMNS)

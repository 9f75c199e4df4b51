"""Registrations keep their receipt's signature, and the salt of the filed body's hash.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("registration", sa.Column("receipt_seal", sa.LargeBinary(), nullable=True))
    op.add_column("registration", sa.Column("receipt_salt", sa.String(length=32), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("registration") as table:
        table.drop_column("receipt_salt")
        table.drop_column("receipt_seal")

"""Transfers, with the consent of both sides.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

from dealreg_shared.db import JsonText, UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_PENDING = sa.text("state = 'pending'")
_ID = sa.String(length=64)


def upgrade() -> None:
    op.create_table(
        "transfer",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("registration_id", _ID, nullable=False),
        sa.Column("from_id", _ID, nullable=False),
        sa.Column("to_id", _ID, nullable=False),
        sa.Column("claim_ids", JsonText(), nullable=False),
        sa.Column("product_lines", JsonText(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("plan_number", sa.Integer(), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("holder_accepted_at", UtcDateTime(), nullable=True),
        sa.Column("receiver_accepted_at", UtcDateTime(), nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("taken_registration_id", _ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_transfer_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["registration_id"], ["registration.id"], name=op.f("fk_transfer_registration_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfer")),
    )
    for column in ("account_id", "registration_id", "from_id", "to_id", "opened_at"):
        op.create_index(op.f(f"ix_transfer_{column}"), "transfer", [column])
    op.create_index(
        "ix_transfer_pending",
        "transfer",
        ["account_id"],
        sqlite_where=_PENDING,
        postgresql_where=_PENDING,
    )


def downgrade() -> None:
    op.drop_table("transfer")

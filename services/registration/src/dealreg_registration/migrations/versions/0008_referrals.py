"""Referrals, and where a registration came from.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

from dealreg_shared.db import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_OFFERED = sa.text("state = 'offered'")
_ID = sa.String(length=64)


def upgrade() -> None:
    op.add_column("registration", sa.Column("referred_by", _ID, nullable=True))
    op.create_table(
        "referral",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("registration_id", _ID, nullable=False),
        sa.Column("claim_id", _ID, nullable=False),
        sa.Column("referrer_id", _ID, nullable=False),
        sa.Column("product_line", _ID, nullable=False),
        sa.Column("target_kind", sa.String(length=8), nullable=False),
        sa.Column("target_id", _ID, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("plan_number", sa.Integer(), nullable=False),
        sa.Column("offered_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("consent_at", UtcDateTime(), nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("taken_registration_id", _ID, nullable=True),
        sa.Column("taken_claim_id", _ID, nullable=True),
        *(
            sa.ForeignKeyConstraint([column], [f"{table}.id"], name=op.f(f"fk_referral_{column}"))
            for column, table in (
                ("account_id", "account"),
                ("registration_id", "registration"),
                ("claim_id", "claim"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referral")),
    )
    for column in (
        "account_id",
        "registration_id",
        "referrer_id",
        "target_id",
        "taken_registration_id",
        "offered_at",
        "claim_id",
    ):
        op.create_index(op.f(f"ix_referral_{column}"), "referral", [column])
    op.create_index(
        "uq_referral_offered",
        "referral",
        ["claim_id"],
        unique=True,
        sqlite_where=_OFFERED,
        postgresql_where=_OFFERED,
    )


def downgrade() -> None:
    op.drop_table("referral")
    op.drop_column("registration", "referred_by")

"""Endpoints with their secrets, the log of their deliveries, and addresses that bounce.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

from dealreg_shared.db import JsonText, UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "endpoint",
        sa.Column("endpoint_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("owner", sa.String(length=160), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("notices", JsonText(), nullable=True),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("off_reason", sa.Text(), nullable=True),
        sa.Column("off_at", UtcDateTime(), nullable=True),
        sa.Column("failing_since", UtcDateTime(), nullable=True),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint_id", name=op.f("pk_endpoint")),
    )
    op.create_index("ix_endpoint_owner", "endpoint", ["owner"])
    op.create_table(
        "endpoint_secret",
        sa.Column("secret_id", sa.String(length=64), nullable=False),
        sa.Column("endpoint_id", sa.String(length=64), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["endpoint.endpoint_id"],
            name=op.f("fk_endpoint_secret_endpoint_id_endpoint"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("secret_id", name=op.f("pk_endpoint_secret")),
    )
    op.create_index("ix_endpoint_secret_endpoint_id", "endpoint_secret", ["endpoint_id"])
    op.create_table(
        "delivery_attempt",
        sa.Column("delivery_id", sa.String(length=64), nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("endpoint_id", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("sent_sha256", sa.String(length=64), nullable=False),
        sa.Column("answer_sha256", sa.String(length=64), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('delivered', 'retry', 'refused')",
            name=op.f("ck_delivery_attempt_outcome"),
        ),
        sa.PrimaryKeyConstraint("delivery_id", "attempt", name=op.f("pk_delivery_attempt")),
    )
    op.create_index(
        "ix_delivery_attempt_endpoint", "delivery_attempt", ["endpoint_id", "at", "delivery_id"]
    )
    op.create_table(
        "bounce",
        sa.Column("person_id", sa.String(length=128), nullable=False),
        sa.Column("address_sha256", sa.String(length=64), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_bounce")),
    )


def downgrade() -> None:
    op.drop_table("bounce")
    op.drop_table("delivery_attempt")
    op.drop_table("endpoint_secret")
    op.drop_table("endpoint")

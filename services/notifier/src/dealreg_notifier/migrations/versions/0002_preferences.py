"""Preferences of people; deliveries that wait for a digest or share a message.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

from dealreg_shared.db import JsonText, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

CARRIED = sa.text("carried_by IS NOT NULL")
DIGEST = sa.text("carries > 0 AND digest_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "preference",
        sa.Column("person_id", sa.String(length=128), nullable=False),
        sa.Column("channels", JsonText(), nullable=False),
        sa.Column("quiet_hours", JsonText(), nullable=True),
        sa.Column("digest", JsonText(), nullable=True),
        sa.Column("language", sa.String(length=16), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_preference")),
    )
    # What was written before is sent by itself, as it was meant to be.
    op.add_column(
        "delivery",
        sa.Column("kind_group", sa.String(length=32), nullable=False, server_default="escalation"),
    )
    op.add_column("delivery", sa.Column("digest_at", UtcDateTime(), nullable=True))
    op.add_column("delivery", sa.Column("begun_at", UtcDateTime(), nullable=True))
    op.add_column(
        "delivery", sa.Column("carries", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column("delivery", sa.Column("carried_by", sa.String(length=64), nullable=True))
    op.drop_index("ix_delivery_recipient", "delivery")
    op.create_index("ix_delivery_recipient", "delivery", ["recipient", "channel", "kind_group"])
    op.create_index(
        "ix_delivery_carried",
        "delivery",
        ["carried_by"],
        sqlite_where=CARRIED,
        postgresql_where=CARRIED,
    )
    op.create_index(
        "ix_delivery_digest",
        "delivery",
        ["recipient", "channel", "digest_at"],
        unique=True,
        sqlite_where=DIGEST,
        postgresql_where=DIGEST,
    )


def downgrade() -> None:
    op.drop_index("ix_delivery_digest", "delivery")
    op.drop_index("ix_delivery_carried", "delivery")
    op.drop_index("ix_delivery_recipient", "delivery")
    op.create_index("ix_delivery_recipient", "delivery", ["recipient"])
    for column in ("kind_group", "digest_at", "begun_at", "carries", "carried_by"):
        op.drop_column("delivery", column)
    op.drop_table("preference")

"""What is under way on a claim; what staff and partners write to each other.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

from dealreg_shared.db import JsonText, UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("claim", sa.Column("flags", JsonText(), nullable=True))
    op.create_table(
        "correspondence",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("registration_id", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("side", sa.String(length=8), nullable=False),
        sa.Column("actor", sa.String(length=160), nullable=False),
        sa.Column("product_lines", JsonText(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("evidence", JsonText(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["registration_id"],
            ["registration.id"],
            name=op.f("fk_correspondence_registration_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correspondence")),
    )
    op.create_index(
        "ix_correspondence_registration_id", "correspondence", ["registration_id"], unique=False
    )
    # Nobody is reminded late of what was due before there were reminders.
    bind = op.get_bind()
    now = "app_now()"
    if bind.dialect.name == "postgresql":
        now = """to_char(app_now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    bind.exec_driver_sql(
        f"""UPDATE claim SET flags = '{{"reminded_at":"' || {now} || '"}}'"""
        " WHERE state IN ('protected', 'extended')"
    )
    # The next step is due earlier than revision 0003 knew: reminders. Once swept, each account has its
    # own again.
    op.execute("UPDATE account SET next_due_at = created_at WHERE next_due_at IS NOT NULL")


def downgrade() -> None:
    op.drop_index("ix_correspondence_registration_id", table_name="correspondence")
    op.drop_table("correspondence")
    op.drop_column("claim", "flags")

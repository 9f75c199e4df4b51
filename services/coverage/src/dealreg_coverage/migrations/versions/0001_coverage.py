"""Everything of coverage's first version: sums, plans, what was told, inbox, outbox and access keys."""

import sqlalchemy as sa
from alembic import op

from dealreg_shared.db import JsonText, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite counts only INTEGER keys


def upgrade() -> None:
    op.create_table(
        "access_key",
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("partner_id", sa.String(length=128), nullable=True),
        sa.Column("person_id", sa.String(length=128), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.Column("requests_per_minute", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key_id"),
    )
    op.create_index("ix_access_key_partner_id", "access_key", ["partner_id"], unique=False)
    op.create_index("ix_access_key_person_id", "access_key", ["person_id"], unique=False)
    op.create_table(
        "announced_gap",
        sa.Column("region", sa.String(length=128), nullable=False),
        sa.Column("segment", sa.String(length=128), nullable=False),
        sa.Column("gap_class", sa.String(length=8), nullable=False),
        sa.PrimaryKeyConstraint("region", "segment"),
    )
    op.create_table(
        "announced_score",
        sa.Column("region", sa.String(length=128), nullable=False),
        sa.Column("segment", sa.String(length=128), nullable=False),
        sa.Column("partner_id", sa.String(length=128), nullable=False),
        sa.Column("tenths", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("region", "segment", "partner_id"),
    )
    op.create_table(
        "cell_quarter",
        sa.Column("region", sa.String(length=128), nullable=False),
        sa.Column("segment", sa.String(length=128), nullable=False),
        sa.Column("quarter", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("partner_id", sa.String(length=128), nullable=False),
        sa.Column("filed", sa.BigInteger(), nullable=False),
        sa.Column("superseded", sa.BigInteger(), nullable=False),
        sa.Column("lapsed", sa.BigInteger(), nullable=False),
        sa.Column("won", sa.BigInteger(), nullable=False),
        sa.Column("lost", sa.BigInteger(), nullable=False),
        sa.Column("won_value", sa.BigInteger(), nullable=False),
        sa.Column("lost_value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("region", "segment", "quarter", "partner_id"),
    )
    op.create_table(
        "cell_recent",
        sa.Column("region", sa.String(length=128), nullable=False),
        sa.Column("segment", sa.String(length=128), nullable=False),
        sa.Column("partner_id", sa.String(length=128), nullable=False),
        sa.Column("recent", JsonText(), nullable=False),
        sa.PrimaryKeyConstraint("region", "segment", "partner_id"),
    )
    op.create_table(
        "hand_set",
        sa.Column("partner_id", sa.String(length=128), nullable=False),
        sa.Column("region", sa.String(length=128), nullable=False),
        sa.Column("segment", sa.String(length=128), nullable=False),
        sa.Column("factor", sa.String(length=32), nullable=False),
        sa.Column("value", sa.Integer(), nullable=True, comment="hundredths; null: taken back"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("set_by", sa.String(length=128), nullable=False),
        sa.Column("set_at", UtcDateTime(), nullable=False),
        sa.Column(
            "until_day", sa.String(length=10), nullable=False, comment="first day without it"
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("partner_id", "region", "segment", "factor"),
    )
    op.create_table(
        "inbox_aside",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("consumer", sa.String(length=100), nullable=False),
        sa.Column("topic", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("original", sa.LargeBinary(), nullable=True),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("stored_at", UtcDateTime(), nullable=False),
        sa.Column("resolved_at", UtcDateTime(), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_inbox_aside_open",
        "inbox_aside",
        ["consumer", "topic", "key", "version"],
        unique=False,
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_table(
        "inbox_consumer",
        sa.Column("consumer", sa.String(length=100), nullable=False),
        sa.Column("rewind", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("consumer"),
    )
    op.create_table(
        "inbox_key",
        sa.Column("consumer", sa.String(length=100), nullable=False),
        sa.Column("topic", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.String(length=36), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("since", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("consumer", "topic", "key"),
    )
    op.create_index(
        "ix_inbox_key_aside",
        "inbox_key",
        ["consumer", "status"],
        unique=False,
        sqlite_where=sa.text("status IS NOT NULL"),
        postgresql_where=sa.text("status IS NOT NULL"),
    )
    op.create_table(
        "market_quarter",
        sa.Column("region", sa.String(length=128), nullable=False),
        sa.Column("segment", sa.String(length=128), nullable=False),
        sa.Column("quarter", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("met", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("region", "segment", "quarter"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column("topic", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("topic", "key", "version", name="uq_outbox_topic_key_version"),
    )
    op.create_index(
        "ix_outbox_unsent",
        "outbox",
        ["id"],
        unique=False,
        sqlite_where=sa.text("sent_at IS NULL"),
        postgresql_where=sa.text("sent_at IS NULL"),
    )
    op.create_table(
        "outbox_key_version",
        sa.Column("topic", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "key"),
    )
    op.create_table(
        "outbox_lease",
        sa.Column("shard", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("shard"),
    )
    op.create_table(
        "partner_status",
        sa.Column("partner_id", sa.String(length=128), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("suspended", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("partner_id", "at"),
    )
    op.create_table(
        "plan",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("in_force_from", UtcDateTime(), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("content_hash", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("ix_plan_in_force_from", "plan", ["in_force_from"], unique=False)
    op.create_table(
        "plan_part",
        sa.Column("plan_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("section", sa.String(length=64), nullable=False),
        sa.Column("items", JsonText(), nullable=False),
        sa.PrimaryKeyConstraint("plan_number", "part"),
    )
    op.create_table(
        "programme_quarter",
        sa.Column("quarter", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("won", sa.BigInteger(), nullable=False),
        sa.Column("lost", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("quarter"),
    )
    op.create_table(
        "refreshed",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "day",
            sa.String(length=10),
            nullable=True,
            comment="null: something past has changed, look at everything again",
        ),
        sa.Column("plan_number", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    op.drop_table("refreshed")
    op.drop_table("programme_quarter")
    op.drop_table("plan_part")
    op.drop_index("ix_plan_in_force_from", table_name="plan")
    op.drop_table("plan")
    op.drop_table("partner_status")
    op.drop_table("outbox_lease")
    op.drop_table("outbox_key_version")
    op.drop_index(
        "ix_outbox_unsent",
        table_name="outbox",
        sqlite_where=sa.text("sent_at IS NULL"),
        postgresql_where=sa.text("sent_at IS NULL"),
    )
    op.drop_table("outbox")
    op.drop_table("market_quarter")
    op.drop_index(
        "ix_inbox_key_aside",
        table_name="inbox_key",
        sqlite_where=sa.text("status IS NOT NULL"),
        postgresql_where=sa.text("status IS NOT NULL"),
    )
    op.drop_table("inbox_key")
    op.drop_table("inbox_consumer")
    op.drop_index(
        "ix_inbox_aside_open",
        table_name="inbox_aside",
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.drop_table("inbox_aside")
    op.drop_table("hand_set")
    op.drop_table("cell_recent")
    op.drop_table("cell_quarter")
    op.drop_table("announced_score")
    op.drop_table("announced_gap")
    op.drop_index("ix_access_key_person_id", table_name="access_key")
    op.drop_index("ix_access_key_partner_id", table_name="access_key")
    op.drop_table("access_key")

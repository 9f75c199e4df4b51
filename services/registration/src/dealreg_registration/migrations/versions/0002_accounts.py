"""Accounts, registrations, claims, conflicts, decisions; outbox and idempotency.

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


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("facts", JsonText(), nullable=False),
        sa.Column("sources", JsonText(), nullable=False),
        sa.Column("parent_id", sa.String(length=64), nullable=True),
        sa.Column("last_place", sa.Integer(), nullable=False),
        sa.Column("event_version", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["account.id"], name=op.f("fk_account_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
    )
    op.create_table(
        "account_key",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_account_key")),
    )
    op.create_index("ix_account_key_account_id", "account_key", ["account_id"], unique=False)

    op.create_table(
        "idempotency",
        sa.Column("scope", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("salt", sa.String(length=32), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name=op.f("pk_idempotency")),
    )
    op.create_index("ix_idempotency_created_at", "idempotency", ["created_at"], unique=False)

    op.create_table(
        "outbox",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column("topic", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
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
        sa.PrimaryKeyConstraint("topic", "key", name=op.f("pk_outbox_key_version")),
    )
    op.create_table(
        "outbox_lease",
        sa.Column("shard", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("shard", name=op.f("pk_outbox_lease")),
    )
    op.create_table(
        "conflict",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("deadlines", JsonText(), nullable=False),
        sa.Column("market_region", sa.String(length=64), nullable=True),
        sa.Column("market_segment", sa.String(length=64), nullable=True),
        sa.Column("plan_number", sa.Integer(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("closed_level", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_conflict_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conflict")),
    )
    op.create_index("ix_conflict_account_id", "conflict", ["account_id"], unique=False)
    op.create_index("ix_conflict_opened_at", "conflict", ["opened_at"], unique=False)

    op.create_table(
        "registration",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("partner_id", sa.String(length=64), nullable=False),
        sa.Column("filed_by", sa.String(length=8), nullable=False),
        sa.Column("filed_at", UtcDateTime(), nullable=False),
        sa.Column("account_name", sa.Text(), nullable=False),
        sa.Column("amount", sa.String(length=40), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_base", sa.String(length=40), nullable=False),
        sa.Column("close_date", sa.Date(), nullable=False),
        sa.Column("deal_type", sa.String(length=10), nullable=False),
        sa.Column("place_of_use", JsonText(), nullable=False),
        sa.Column("tags", JsonText(), nullable=False),
        sa.Column("reseller_id", sa.String(length=64), nullable=True),
        sa.Column("distributor_id", sa.String(length=64), nullable=True),
        sa.Column("external_reference", sa.Text(), nullable=True),
        sa.Column("evidence", JsonText(), nullable=False),
        sa.Column("matched_by", sa.Text(), nullable=True),
        sa.Column("market_region", sa.String(length=64), nullable=True),
        sa.Column("market_segment", sa.String(length=64), nullable=True),
        sa.Column("owner", JsonText(), nullable=False),
        sa.Column("receipt_number", sa.String(length=64), nullable=False),
        sa.Column("plan_number", sa.Integer(), nullable=False),
        sa.Column("last_activity_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("result", sa.String(length=4), nullable=True),
        sa.Column("result_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_registration_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registration")),
        sa.UniqueConstraint("receipt_number", name=op.f("uq_registration_receipt_number")),
    )
    op.create_index("ix_registration_account_id", "registration", ["account_id"], unique=False)
    op.create_index(
        "ix_registration_partner_id_filed_at",
        "registration",
        ["partner_id", "filed_at"],
        unique=False,
    )

    op.create_table(
        "claim",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("registration_id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("partner_id", sa.String(length=64), nullable=False),
        sa.Column("product_line", sa.String(length=64), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=False),
        sa.Column("plan_number", sa.Integer(), nullable=False),
        sa.Column("protected_from", UtcDateTime(), nullable=True),
        sa.Column("protected_until", UtcDateTime(), nullable=True),
        sa.Column("territory_id", sa.String(length=64), nullable=True),
        sa.Column("assignment_id", sa.String(length=64), nullable=True),
        sa.Column("referred_kind", sa.String(length=8), nullable=True),
        sa.Column("referred_id", sa.String(length=64), nullable=True),
        sa.Column("duplicate_of", sa.String(length=64), nullable=True),
        sa.Column("case_id", sa.String(length=64), nullable=True),
        sa.Column("codes", JsonText(), nullable=False),
        sa.Column("reasons", JsonText(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_claim_account_id")),
        sa.ForeignKeyConstraint(
            ["registration_id"], ["registration.id"], name=op.f("fk_claim_registration_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claim")),
        sa.UniqueConstraint("account_id", "place", name=op.f("uq_claim_account_id_place")),
    )
    op.create_index(
        "ix_claim_active",
        "claim",
        ["account_id"],
        unique=False,
        postgresql_where=sa.text(
            "state IN ('protected', 'extended', 'contested', 'open', 'referred')"
        ),
        sqlite_where=sa.text("state IN ('protected', 'extended', 'contested', 'open', 'referred')"),
    )
    op.create_index(
        "ix_claim_due",
        "claim",
        ["protected_until"],
        unique=False,
        postgresql_where=sa.text("state IN ('protected', 'extended')"),
        sqlite_where=sa.text("state IN ('protected', 'extended')"),
    )
    op.create_index("ix_claim_registration_id", "claim", ["registration_id"], unique=False)
    op.create_index(
        "uq_claim_holder",
        "claim",
        ["account_id", "product_line"],
        unique=True,
        postgresql_where=sa.text("state IN ('protected', 'extended')"),
        sqlite_where=sa.text("state IN ('protected', 'extended')"),
    )

    op.create_table(
        "decision",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("registration_id", sa.String(length=64), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("plan_number", sa.Integer(), nullable=False),
        sa.Column("rule_book", sa.String(length=16), nullable=False),
        sa.Column("inputs", JsonText(), nullable=False),
        sa.Column("result", JsonText(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_decision_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["registration_id"], ["registration.id"], name=op.f("fk_decision_registration_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
    )
    op.create_index("ix_decision_registration_id", "decision", ["registration_id"], unique=False)

    op.create_table(
        "registration_contact",
        sa.Column("registration_id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["registration_id"],
            ["registration.id"],
            name=op.f("fk_registration_contact_registration_id"),
        ),
        sa.PrimaryKeyConstraint(
            "registration_id", "position", name=op.f("pk_registration_contact")
        ),
    )
    op.create_table(
        "conflict_claim",
        sa.Column("conflict_id", sa.String(length=64), nullable=False),
        sa.Column("claim_id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["claim_id"], ["claim.id"], name=op.f("fk_conflict_claim_claim_id")
        ),
        sa.ForeignKeyConstraint(
            ["conflict_id"], ["conflict.id"], name=op.f("fk_conflict_claim_conflict_id")
        ),
        sa.PrimaryKeyConstraint("conflict_id", "claim_id", name=op.f("pk_conflict_claim")),
    )


def downgrade() -> None:
    op.drop_table("conflict_claim")
    op.drop_table("registration_contact")

    op.drop_table("decision")

    op.drop_table("claim")

    op.drop_table("registration")

    op.drop_table("conflict")
    op.drop_table("outbox_lease")
    op.drop_table("outbox_key_version")

    op.drop_table("outbox")

    op.drop_table("idempotency")

    op.drop_table("account_key")
    op.drop_table("account")

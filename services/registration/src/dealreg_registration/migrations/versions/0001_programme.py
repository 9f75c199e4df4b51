"""Plans, the partners' standing, people, API keys and the audit.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

from dealreg_shared.db import JsonText, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "programme_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("last_plan_number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_programme_state"),
    )
    op.execute("INSERT INTO programme_state (id, version, last_plan_number) VALUES (1, 0, 0)")
    op.create_table(
        "plan",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("in_force_from", UtcDateTime(), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.Column("published_by", sa.String(128), nullable=False),
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_plan"),
    )
    op.create_index("ix_plan_in_force_from", "plan", ["in_force_from"])
    op.create_table(
        "partner_status",
        sa.Column("id", _BIG_ID, autoincrement=True, nullable=False),
        sa.Column("partner_id", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("release_at", UtcDateTime()),
        sa.Column("reason", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_partner_status"),
        sa.UniqueConstraint("partner_id", "version", name="uq_partner_status_partner_id_version"),
    )
    op.create_table(
        "person",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("email", sa.Text()),
        sa.Column("roles", JsonText(), nullable=False),
        sa.Column("manages", JsonText(), nullable=False),
        sa.Column("partner_id", sa.String(64)),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("erased_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("id", name="pk_person"),
    )
    op.create_table(
        "access_key",
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("partner_id", sa.String(128)),
        sa.Column("person_id", sa.String(128)),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime()),
        sa.Column("requests_per_minute", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name="pk_access_key"),
    )
    op.create_index("ix_access_key_partner_id", "access_key", ["partner_id"])
    op.create_index("ix_access_key_person_id", "access_key", ["person_id"])
    op.create_table(
        "audit",
        sa.Column("id", _BIG_ID, autoincrement=True, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(160), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("detail", JsonText(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_subject_id", "audit", ["subject", "id"])


def downgrade() -> None:
    for name in ("audit", "access_key", "person", "partner_status", "plan", "programme_state"):
        op.drop_table(name)

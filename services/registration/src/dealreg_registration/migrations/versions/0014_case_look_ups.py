"""Look-ups of rulings by kind and time, of what appeals changed, and of what a partner was asked.

Revision ID: 0014
Revises: 0013
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_PRECEDENT = sa.text("outcome IS NOT NULL")
_APPEAL = sa.text("appeal_of IS NOT NULL")
_QUESTION = sa.text("kind = 'question'")


def upgrade() -> None:
    op.add_column("ruling", sa.Column("appeal_of", sa.String(length=64), nullable=True))
    op.add_column("case_entry", sa.Column("partner_id", sa.String(length=64), nullable=True))
    _fill(op.get_bind())
    op.create_index(
        "ix_ruling_precedent",
        "ruling",
        ["case_kind", "decided_at", "conflict_id"],
        postgresql_where=_PRECEDENT,
        sqlite_where=_PRECEDENT,
    )
    op.create_index(
        "ix_ruling_appeal_of",
        "ruling",
        ["appeal_of"],
        postgresql_where=_APPEAL,
        sqlite_where=_APPEAL,
    )
    op.create_index(
        "ix_case_entry_question",
        "case_entry",
        ["partner_id", "at", "id"],
        postgresql_where=_QUESTION,
        sqlite_where=_QUESTION,
    )


def downgrade() -> None:
    op.drop_index("ix_case_entry_question", table_name="case_entry")
    op.drop_index("ix_ruling_appeal_of", table_name="ruling")
    op.drop_index("ix_ruling_precedent", table_name="ruling")
    op.drop_column("case_entry", "partner_id")
    op.drop_column("ruling", "appeal_of")


def _fill(conn: sa.Connection) -> None:
    """What the new columns say of rows that are there already."""
    appeals = conn.exec_driver_sql(
        "SELECT ruling.conflict_id, conflict.details FROM ruling"
        " JOIN conflict ON conflict.id = ruling.conflict_id WHERE ruling.case_kind = 'appeal'"
    )
    for conflict_id, details in appeals.all():
        found = json.loads(details) if isinstance(details, str) else details
        conn.execute(
            sa.text("UPDATE ruling SET appeal_of = :of WHERE conflict_id = :id"),
            {"of": found.get("appeal_of"), "id": conflict_id},
        )
    conn.exec_driver_sql(
        "UPDATE case_entry SET partner_id = (SELECT registration.partner_id FROM registration"
        " WHERE registration.id = case_entry.registration_id)"
    )

"""When time next changes an account; holding claims by partner.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

from dealreg_shared.db import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_HOLDS = sa.text("state IN ('protected', 'extended')")
_IS_DUE = sa.text("next_due_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("account", sa.Column("next_due_at", UtcDateTime(), nullable=True))
    op.execute(
        "UPDATE account SET next_due_at = (SELECT min(protected_until) FROM claim"
        " WHERE claim.account_id = account.id AND claim.state IN ('protected', 'extended'))"
    )
    op.create_index(
        "ix_account_next_due_at",
        "account",
        ["next_due_at"],
        sqlite_where=_IS_DUE,
        postgresql_where=_IS_DUE,
    )
    op.drop_index("ix_claim_due", table_name="claim")
    op.create_index(
        "ix_claim_holding",
        "claim",
        ["partner_id"],
        sqlite_where=_HOLDS,
        postgresql_where=_HOLDS,
    )


def downgrade() -> None:
    op.drop_index("ix_claim_holding", table_name="claim")
    op.create_index(
        "ix_claim_due",
        "claim",
        ["protected_until"],
        sqlite_where=_HOLDS,
        postgresql_where=_HOLDS,
    )
    op.drop_index("ix_account_next_due_at", table_name="account")
    op.drop_column("account", "next_due_at")

"""The look-up of an account's subsidiaries, which a merge asks for.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_SUBSIDIARY = sa.text("parent_id IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_account_parent_id",
        "account",
        ["parent_id"],
        postgresql_where=_SUBSIDIARY,
        sqlite_where=_SUBSIDIARY,
    )


def downgrade() -> None:
    op.drop_index("ix_account_parent_id", table_name="account")

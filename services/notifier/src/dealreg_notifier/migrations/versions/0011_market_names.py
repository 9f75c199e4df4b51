"""Names of regions and segments, for sentences: taken from the parts of plans that are still kept.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

from dealreg_shared.db import JsonText

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

SECTIONS = ("regions", "segments")

NAME = sa.table(
    "plan_name",
    sa.column("plan_number", sa.Integer),
    sa.column("section", sa.String),
    sa.column("item_id", sa.String),
    sa.column("name", sa.Text),
)
PART = sa.table(
    "plan_part",
    sa.column("plan_number", sa.Integer),
    sa.column("section", sa.String),
    sa.column("items", JsonText()),
)


def upgrade() -> None:
    conn = op.get_bind()
    parts = conn.execute(sa.select(PART).where(PART.c.section.in_(SECTIONS))).all()
    rows = [
        {"plan_number": number, "section": section, "item_id": item["id"], "name": item["name"]}
        for number, section, items in parts
        for item in items
    ]
    if rows:
        op.bulk_insert(NAME, rows)


def downgrade() -> None:
    op.execute(sa.delete(NAME).where(NAME.c.section.in_(SECTIONS)))

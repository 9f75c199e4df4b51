"""A case keeps its whole course: stamps, raises and pauses, instead of the first stamp alone.

Revision ID: 0006
Revises: 0005
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

from dealreg_shared.contracts.base import format_instant
from dealreg_shared.db import JsonText, UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

case = sa.table(
    "conflict_case",
    sa.column("conflict_id", sa.String),
    sa.column("generation", sa.Integer),
    sa.column("opened_at", UtcDateTime),
    sa.column("rungs", JsonText),
    sa.column("level", sa.Integer),
    sa.column("course", JsonText),
    sa.column("breached", JsonText),
)


def upgrade() -> None:
    with op.batch_alter_table("conflict_case") as table:
        table.add_column(sa.Column("course", JsonText()))
        table.add_column(sa.Column("repeat_hours", sa.Integer()))
        table.add_column(sa.Column("breached", JsonText(), nullable=False, server_default="[]"))
        table.add_column(sa.Column("ruling", JsonText()))
    conn = op.get_bind()
    for row in conn.execute(sa.select(case)).mappings().all():
        _change(conn, row, course=_course(row), breached=_breached(row))
    with op.batch_alter_table("conflict_case") as table:
        table.alter_column("breached", existing_type=JsonText(), server_default=None)
        table.drop_column("rungs")
        table.drop_column("generation")


def downgrade() -> None:
    """Of a course the first stamp is kept; raises and pauses are lost."""
    with op.batch_alter_table("conflict_case") as table:
        table.add_column(sa.Column("rungs", JsonText(), nullable=False, server_default="[]"))
        table.add_column(sa.Column("generation", sa.Integer(), nullable=False, server_default="1"))
    conn = op.get_bind()
    for row in conn.execute(sa.select(case)).mappings().all():
        first = row["course"]["stamps"][0] if row["course"] else {"deadlines": []}
        rungs = [
            {name: rung[name] for name in ("level", "role", "person_id", "due_at")}
            for rung in first["deadlines"]
        ]
        _change(conn, row, rungs=rungs)
    with op.batch_alter_table("conflict_case") as table:
        table.alter_column("rungs", existing_type=JsonText(), server_default=None)
        table.alter_column("generation", existing_type=sa.Integer(), server_default=None)
        for name in ("course", "repeat_hours", "breached", "ruling"):
            table.drop_column(name)


def _change(conn: sa.Connection, row: Mapping[Any, Any], **values: Any) -> None:
    mine = case.c.conflict_id == row["conflict_id"]
    conn.execute(case.update().where(mine).values(**values))


def _course(row: Mapping[Any, Any]) -> dict[str, Any] | None:
    if not row["rungs"]:
        return None
    stamp = {
        "generation": row["generation"],
        "at": format_instant(row["opened_at"]),
        "deadlines": [rung | {"remind_at": []} for rung in row["rungs"]],
    }
    return {"stamps": [stamp], "raises": [], "pauses": []}


def _breached(row: Mapping[Any, Any]) -> list[int]:
    return [rung["level"] for rung in row["rungs"] if rung["level"] < (row["level"] or 0)]

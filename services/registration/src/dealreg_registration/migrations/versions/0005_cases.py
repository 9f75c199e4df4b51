"""Cases keep their course, terms and version; what people wrote, what was ruled, who stands in for whom.

Revision ID: 0005
Revises: 0004
"""

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from dealreg_shared.db import UtcDateTime
from dealreg_shared.db.types import JsonText

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_PENDING = sa.text("state IN ('open', 'reviewed')")
_TERMS = {
    "levels": [
        {"level": 1, "role": "partner_manager", "hours": 4, "clock": None},
        {"level": 2, "role": "vp", "hours": 24, "clock": None},
        {"level": 3, "role": "ceo", "hours": None, "clock": None},
    ],
    "reminders": [50, 80],
    "vp_clock_from": "opening",
    "repeat_hours": 24,
    "pause_for_information": False,
    "pause_limit_hours": 48,
}
"""Of cases that opened before terms were kept: the rule book's."""

_conflict = sa.table(
    "conflict",
    sa.column("id", sa.String()),
    sa.column("opened_at", sa.Text()),
    sa.column("generation", sa.Integer()),
    sa.column("deadlines", JsonText()),
    sa.column("course", JsonText()),
    sa.column("terms", JsonText()),
    sa.column("details", JsonText()),
    sa.column("version", sa.Integer()),
)


def upgrade() -> None:
    op.add_column("claim", sa.Column("appeal_id", sa.String(length=64), nullable=True))
    op.add_column("claim", sa.Column("co_holds", sa.String(length=64), nullable=True))
    for name in ("course", "terms", "details"):
        op.add_column("conflict", sa.Column(name, JsonText(), nullable=True))
    op.add_column("conflict", sa.Column("version", sa.Integer(), nullable=True))
    _fill_courses()
    with op.batch_alter_table("conflict") as table:
        for name in ("course", "terms", "details"):
            table.alter_column(name, existing_type=JsonText(), nullable=False)
        table.alter_column("version", existing_type=sa.Integer(), nullable=False)
        table.drop_column("generation")
        table.drop_column("deadlines")
    op.create_index(
        "ix_conflict_pending",
        "conflict",
        ["account_id"],
        sqlite_where=_PENDING,
        postgresql_where=_PENDING,
    )
    _create_case_entry()
    _create_ruling()
    _create_delegation()


def _create_case_entry() -> None:
    op.create_table(
        "case_entry",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("conflict_id", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(length=160), nullable=False),
        sa.Column("registration_id", sa.String(length=64), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["conflict_id"], ["conflict.id"], name=op.f("fk_case_entry_conflict_id")
        ),
        sa.ForeignKeyConstraint(
            ["registration_id"], ["registration.id"], name=op.f("fk_case_entry_registration_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_entry")),
    )
    op.create_index("ix_case_entry_conflict_id_at", "case_entry", ["conflict_id", "at"])


def _create_ruling() -> None:
    op.create_table(
        "ruling",
        sa.Column("conflict_id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("case_kind", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.String(length=64), nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=False),
        sa.Column("breached", sa.Boolean(), nullable=False),
        sa.Column("plan_number", sa.Integer(), nullable=False),
        sa.Column("parts", JsonText(), nullable=False),
        sa.Column("departs", JsonText(), nullable=False),
        sa.Column("reason_entry", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["conflict_id"], ["conflict.id"], name=op.f("fk_ruling_conflict_id")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_ruling_account_id")),
        sa.PrimaryKeyConstraint("conflict_id", name=op.f("pk_ruling")),
    )
    op.create_index(op.f("ix_ruling_account_id"), "ruling", ["account_id"])
    op.create_index("ix_ruling_decided_at", "ruling", ["decided_at"])


def _create_delegation() -> None:
    op.create_table(
        "delegation",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.String(length=64), nullable=False),
        sa.Column("delegate_id", sa.String(length=64), nullable=False),
        sa.Column("begins", UtcDateTime(), nullable=False),
        sa.Column("ends", UtcDateTime(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("made_by", sa.String(length=160), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delegation")),
    )
    op.create_index(op.f("ix_delegation_person_id"), "delegation", ["person_id"])
    op.create_index(op.f("ix_delegation_delegate_id"), "delegation", ["delegate_id"])


def downgrade() -> None:
    op.drop_table("delegation")
    op.drop_table("ruling")
    op.drop_table("case_entry")
    op.drop_index("ix_conflict_pending", table_name="conflict")
    op.add_column("conflict", sa.Column("generation", sa.Integer(), nullable=True))
    op.add_column("conflict", sa.Column("deadlines", JsonText(), nullable=True))
    _fill_deadlines()
    with op.batch_alter_table("conflict") as table:
        table.alter_column("generation", existing_type=sa.Integer(), nullable=False)
        table.alter_column("deadlines", existing_type=JsonText(), nullable=False)
        for name in ("version", "details", "terms", "course"):
            table.drop_column(name)
    op.drop_column("claim", "co_holds")
    op.drop_column("claim", "appeal_id")


def _fill_courses() -> None:
    """The stamp that a case was opened with becomes the first of its course."""
    conn = op.get_bind()
    opened = sa.table(
        "conflict", sa.column("id", sa.String()), sa.column("opened_at", UtcDateTime())
    )
    instants = {row.id: row.opened_at for row in conn.execute(sa.select(opened))}
    columns = _conflict.c
    for row in conn.execute(sa.select(columns.id, columns.generation, columns.deadlines)).all():
        stamp = {
            "generation": row.generation,
            "at": _instant(instants[row.id]),
            "deadlines": [[*deadline, []] for deadline in row.deadlines],
        }
        _update(row.id, course={"stamps": [stamp]}, terms=_TERMS, details={}, version=1)


def _fill_deadlines() -> None:
    columns = _conflict.c
    for row in op.get_bind().execute(sa.select(columns.id, columns.course)).all():
        course = json.loads(row.course) if isinstance(row.course, str) else row.course
        last = course["stamps"][-1]
        deadlines = [deadline[:4] for deadline in last["deadlines"] if deadline[0] < 4]
        _update(row.id, generation=last["generation"], deadlines=deadlines)


def _update(conflict_id: str, **values: Any) -> None:
    op.get_bind().execute(
        sa.update(_conflict).where(_conflict.c.id == conflict_id).values(**values)
    )


def _instant(value: datetime) -> str:
    return value.isoformat(timespec="microseconds").replace("+00:00", "Z")

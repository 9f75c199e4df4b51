"""Rows of the programme: its lock, plans, standing, people. Works on the caller's connection.

Must not decide anything and must not commit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from dealreg_registration.tables_programme import (
    audit,
    partner_status,
    person,
    plan,
    programme_state,
)


@dataclass(frozen=True, slots=True)
class State:
    """The programme's counters, held under its lock."""

    version: int
    last_plan_number: int


def lock_programme(conn: Connection) -> State:
    """The programme's row, locked until the transaction ends: plans and standing change one by one."""
    row = conn.execute(
        select(programme_state).where(programme_state.c.id == 1).with_for_update()
    ).first()
    if row is None:
        conn.execute(insert(programme_state).values(id=1, version=0, last_plan_number=0))
        return State(0, 0)
    return State(row.version, row.last_plan_number)


def advance(conn: Connection, state: State, *, last_plan_number: int | None = None) -> None:
    """Tell every process that what it keeps in memory is out of date."""
    conn.execute(
        update(programme_state)
        .where(programme_state.c.id == 1)
        .values(
            version=state.version + 1,
            last_plan_number=last_plan_number or state.last_plan_number,
        )
    )


def write_audit(
    conn: Connection,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    detail: Mapping[str, Any],
) -> None:
    """One audit row. ``detail`` holds ids and facts, never a person's data."""
    conn.execute(
        insert(audit).values(
            at=at, actor=actor, action=action, subject=subject, detail=dict(detail)
        )
    )


def number_in_force(conn: Connection, instant: datetime) -> int | None:
    """The plan in force at an instant: of those that have begun, the one that began last."""
    return conn.execute(
        select(plan.c.number)
        .where(plan.c.in_force_from <= instant)
        .order_by(plan.c.in_force_from.desc(), plan.c.number.desc())
        .limit(1)
    ).scalar_one_or_none()


@dataclass(frozen=True, slots=True)
class StandingRow:
    """A partner's present standing. ``version`` 0: it was never changed."""

    status: str = "active"
    since: datetime | None = None
    release_at: datetime | None = None
    reason: str | None = None
    version: int = 0


def standings(conn: Connection, partner_ids: list[str] | None = None) -> dict[str, StandingRow]:
    """The latest standing of partners whose standing was ever changed."""
    latest = select(
        partner_status.c.partner_id, func.max(partner_status.c.version).label("version")
    )
    if partner_ids is not None:
        latest = latest.where(partner_status.c.partner_id.in_(partner_ids))
    newest = latest.group_by(partner_status.c.partner_id).subquery()
    rows = conn.execute(
        select(partner_status).join(
            newest,
            (newest.c.partner_id == partner_status.c.partner_id)
            & (newest.c.version == partner_status.c.version),
        )
    )
    return {
        row.partner_id: StandingRow(row.status, row.since, row.release_at, row.reason, row.version)
        for row in rows
    }


@dataclass(frozen=True, slots=True)
class KnownPeople:
    """Who is on record with name and address, and who was erased."""

    reachable: frozenset[str]
    erased: frozenset[str]


def known_people(conn: Connection) -> KnownPeople:
    rows = conn.execute(
        select(person.c.id, person.c.name, person.c.email, person.c.erased_at)
    ).all()
    return KnownPeople(
        frozenset(row.id for row in rows if row.name is not None and row.email is not None),
        frozenset(row.id for row in rows if row.erased_at is not None),
    )

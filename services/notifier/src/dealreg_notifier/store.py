"""Reads and writes of cases and timers, inside the caller's transaction.

Where rows are locked, the order is: timers, then cases, each by id; another order could meet a tick half
way.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, func, select, update

from dealreg_notifier import tables
from dealreg_notifier.domain.ladder import Rung
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.ids import new_id

DEADLINE = "deadline"


@dataclass(frozen=True, slots=True)
class Case:
    """A conflict as notifier keeps it. ``level`` is the level that was told last."""

    conflict_id: str
    kind: str
    account_name: str
    region: str | None
    segment: str | None
    plan_number: int
    generation: int
    opened_at: datetime
    rungs: tuple[Rung, ...]
    level: int | None
    correlation_id: str
    closed_at: datetime | None
    closed_state: str | None


def put_case(conn: Connection, case: Case, account_id: str) -> None:
    """A new case."""
    conn.execute(
        tables.conflict_case.insert().values(
            conflict_id=case.conflict_id,
            kind=case.kind,
            account_id=account_id,
            account_name=case.account_name,
            region=case.region,
            segment=case.segment,
            plan_number=case.plan_number,
            generation=case.generation,
            opened_at=case.opened_at,
            rungs=[_rung_row(rung) for rung in case.rungs],
            level=case.level,
            correlation_id=case.correlation_id,
        )
    )


def case_plan(conn: Connection, conflict_id: str) -> int:
    """The number of the plan that a case was opened under."""
    table = tables.conflict_case
    found = conn.execute(select(table.c.plan_number).where(table.c.conflict_id == conflict_id))
    number: int = found.scalar_one()
    return number


def lock_cases(conn: Connection, conflict_ids: Collection[str]) -> list[Case]:
    """These cases, locked in the order of their ids until the transaction ends."""
    table = tables.conflict_case
    rows = conn.execute(
        select(table)
        .where(table.c.conflict_id.in_(sorted(conflict_ids)))
        .order_by(table.c.conflict_id)
        .with_for_update()
    ).mappings()
    return [case_of(row) for row in rows]


def set_levels(conn: Connection, levels: Mapping[str, int]) -> None:
    """Write which level was told, per case."""
    if levels:
        conn.execute(
            update(tables.conflict_case)
            .where(tables.conflict_case.c.conflict_id == bindparam("b_id"))
            .values(level=bindparam("b_level")),
            [{"b_id": id_, "b_level": level} for id_, level in levels.items()],
        )


def close_case(
    conn: Connection, conflict_id: str, level: int | None, closed_at: datetime, state: str
) -> None:
    conn.execute(
        update(tables.conflict_case)
        .where(tables.conflict_case.c.conflict_id == conflict_id)
        .values(level=level, closed_at=closed_at, closed_state=state)
    )


def told_of_ladder(conn: Connection, conflict_id: str, kind: str) -> list[str]:
    """Everybody who was sent a notice of this kind about the case."""
    table = tables.notification
    query = (
        select(table.c.recipient)
        .where(table.c.subject == conflict_id, table.c.kind == kind)
        .distinct()
        .order_by(table.c.recipient)
    )
    return list(conn.execute(query).scalars())


def put_case_claims(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        conn.execute(tables.case_claim.insert(), [dict(row) for row in rows])


def move_claims(conn: Connection, states: Mapping[str, str]) -> None:
    """Claims that stand in a case changed their state; others are no affair of it."""
    if states:
        conn.execute(
            update(tables.case_claim)
            .where(tables.case_claim.c.claim_id == bindparam("b_id"))
            .values(state=bindparam("b_state")),
            [{"b_id": id_, "b_state": states[id_]} for id_ in sorted(states)],
        )


def case_claims(conn: Connection, conflict_ids: Collection[str]) -> dict[str, list[RowMapping]]:
    """The claims of each case in true order."""
    table = tables.case_claim
    rows = conn.execute(
        select(table)
        .where(table.c.conflict_id.in_(set(conflict_ids)))
        .order_by(table.c.conflict_id, table.c.place, table.c.claim_id)
    ).mappings()
    found: dict[str, list[RowMapping]] = {}
    for row in rows:
        found.setdefault(row["conflict_id"], []).append(row)
    return found


def put_deadlines(
    conn: Connection, conflict_id: str, generation: int, rungs: Sequence[Rung], now: datetime
) -> None:
    """A timer per deadline. One that is over already counts as fired: the opening told of it."""
    rows = [
        {
            "timer_id": new_id("tmr"),
            "subject": conflict_id,
            "kind": DEADLINE,
            "step": rung.level,
            "generation": generation,
            "due_at": rung.due_at,
            "state": "pending" if rung.due_at > now else "fired",
            "ended_at": None if rung.due_at > now else now,
        }
        for rung in rungs[:-1]
        if rung.due_at is not None
    ]
    if rows:
        conn.execute(tables.timer.insert(), rows)


def claim_due_timers(conn: Connection, now: datetime, limit: int) -> list[RowMapping]:
    """Due timers that no other process holds, the most overdue first; locked."""
    table = tables.timer
    return list(
        conn.execute(
            select(table)
            .where(table.c.state == "pending", table.c.due_at <= now)
            .order_by(table.c.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).mappings()
    )


def end_timers(conn: Connection, timer_ids: Collection[str], now: datetime) -> None:
    """These timers have fired."""
    conn.execute(
        update(tables.timer)
        .where(tables.timer.c.timer_id.in_(timer_ids))
        .values(state="fired", ended_at=now)
    )


def void_timers(conn: Connection, subject: str, over: datetime, reason: str, now: datetime) -> None:
    """The subject is settled as of ``over``: what was due by then counts as fired, the rest is void."""
    table = tables.timer
    mine = (table.c.subject == subject, table.c.state == "pending")
    conn.execute(
        update(table)
        .where(*mine, table.c.due_at > over)
        .values(state="cancelled", reason=reason, ended_at=now)
    )
    conn.execute(update(table).where(*mine).values(state="fired", ended_at=now))


def oldest_due(conn: Connection, now: datetime) -> datetime | None:
    """The due time of the most overdue timer."""
    table = tables.timer
    found = conn.execute(
        select(func.min(table.c.due_at)).where(table.c.state == "pending", table.c.due_at <= now)
    )
    oldest: datetime | None = found.scalar_one()
    return oldest


def case_of(row: tables.Fields) -> Case:
    """A row of ``conflict_case`` as a case."""
    return Case(
        conflict_id=row["conflict_id"],
        kind=row["kind"],
        account_name=row["account_name"],
        region=row["region"],
        segment=row["segment"],
        plan_number=row["plan_number"],
        generation=row["generation"],
        opened_at=row["opened_at"],
        rungs=tuple(_rung(item) for item in row["rungs"]),
        level=row["level"],
        correlation_id=row["correlation_id"],
        closed_at=row["closed_at"],
        closed_state=row["closed_state"],
    )


def _rung_row(rung: Rung) -> dict[str, Any]:
    due_at = None if rung.due_at is None else format_instant(rung.due_at)
    return {
        "level": rung.level,
        "role": rung.role,
        "person_id": rung.person_id,
        "due_at": due_at,
    }


def _rung(item: Mapping[str, Any]) -> Rung:
    due_at = None if item["due_at"] is None else datetime.fromisoformat(item["due_at"])
    return Rung(item["level"], item["role"], item["person_id"], due_at)

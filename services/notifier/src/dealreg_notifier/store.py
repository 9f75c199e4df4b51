"""Reads and writes of cases and timers, inside the caller's transaction.

Where rows are locked, the order is: timers, then cases, each by id; another order could meet a tick half
way.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Integer,
    RowMapping,
    Select,
    Update,
    bindparam,
    func,
    select,
    update,
)

from dealreg_notifier import tables
from dealreg_notifier.courses import course_of, course_row
from dealreg_notifier.domain.ladder import TimerDue
from dealreg_shared.db.among import among_given, listed
from dealreg_shared.db.bulk import insert_rows
from dealreg_shared.db.upsert import insert_new
from dealreg_shared.ids import new_id
from dealreg_shared.ladder import Course


@dataclass(frozen=True, slots=True)
class Case:
    """A conflict as notifier keeps it. ``level`` is the level that was told last, ``recorded`` are the
    levels whose missed deadline is on record. ``course`` None: a case without a ladder."""

    conflict_id: str
    kind: str
    account_name: str
    region: str | None
    segment: str | None
    plan_number: int
    opened_at: datetime
    course: Course | None
    repeat_hours: int | None
    level: int | None
    recorded: tuple[int, ...]
    correlation_id: str
    closed_at: datetime | None = None
    closed_state: str | None = None
    suspect: Mapping[str, Any] | None = None
    """Of a possible duplicate: the other account and what matched, in the facts of a notice."""
    ruling: Mapping[str, Any] | None = None

    @property
    def generation(self) -> int:
        """Of the newest stamp; 0 without a ladder."""
        return 0 if self.course is None else self.course.stamps[-1].generation

    @property
    def people(self) -> list[str | None]:
        """Everybody whom a stamp names."""
        stamps = () if self.course is None else self.course.stamps
        return [rung.person_id for stamp in stamps for rung in stamp.deadlines]


def put_cases(conn: Connection, cases: Sequence[tuple[Case, str]]) -> None:
    """New cases, each with the id of its account."""
    rows = [
        {
            "conflict_id": case.conflict_id,
            "kind": case.kind,
            "account_id": account_id,
            "account_name": case.account_name,
            "region": case.region,
            "segment": case.segment,
            "plan_number": case.plan_number,
            "opened_at": case.opened_at,
            "course": None if case.course is None else course_row(case.course),
            "repeat_hours": case.repeat_hours,
            "level": case.level,
            "suspect": None if case.suspect is None else dict(case.suspect),
            "breached": list(case.recorded),
            "correlation_id": case.correlation_id,
        }
        for case, account_id in cases
    ]
    insert_rows(conn, [(tables.conflict_case, rows)])


def case_plan(conn: Connection, conflict_id: str) -> int:
    """The number of the plan that a case was opened under."""
    table = tables.conflict_case
    found = conn.execute(select(table.c.plan_number).where(table.c.conflict_id == conflict_id))
    number: int = found.scalar_one()
    return number


def lock_cases(conn: Connection, conflict_ids: Collection[str]) -> list[Case]:
    """These cases, locked in the order of their ids until the transaction ends."""
    rows = conn.execute(_locked(conn.dialect.name), {"ids": listed(conflict_ids)}).mappings()
    return [case_of(row) for row in rows]


@cache
def _locked(dialect: str) -> Select[Any]:
    table = tables.conflict_case
    return (
        select(table)
        .where(among_given(dialect, table.c.conflict_id, "ids"))
        .order_by(table.c.conflict_id)
        .with_for_update()
    )


_LEVELS = (
    update(tables.conflict_case)
    .where(tables.conflict_case.c.conflict_id == bindparam("b_id"))
    .values(level=bindparam("b_level"), breached=bindparam("b_breached"))
)


def set_levels(conn: Connection, cases: Sequence[Case]) -> None:
    """Write which level was told and which missed deadlines are on record, per case."""
    if cases:
        conn.execute(
            _LEVELS,
            [
                {
                    "b_id": case.conflict_id,
                    "b_level": case.level,
                    "b_breached": list(case.recorded),
                }
                for case in cases
            ],
        )


def set_course(conn: Connection, conflict_id: str, course: Course) -> None:
    """A case was stamped anew, raised or paused."""
    conn.execute(
        update(tables.conflict_case)
        .where(tables.conflict_case.c.conflict_id == conflict_id)
        .values(course=course_row(course))
    )


def set_ruling(conn: Connection, conflict_id: str, ruling: Mapping[str, Any]) -> None:
    """A case was decided; its closing follows."""
    conn.execute(
        update(tables.conflict_case)
        .where(tables.conflict_case.c.conflict_id == conflict_id)
        .values(ruling=dict(ruling))
    )


def close_case(
    conn: Connection, conflict_id: str, level: int | None, closed_at: datetime, state: str
) -> None:
    conn.execute(
        update(tables.conflict_case)
        .where(tables.conflict_case.c.conflict_id == conflict_id)
        .values(level=level, closed_at=closed_at, closed_state=state)
    )


def told_of_case(conn: Connection, conflict_id: str, kinds: Collection[str]) -> list[str]:
    """Everybody who was sent a notice of these kinds about the case."""
    table = tables.notification
    query = (
        select(table.c.recipient)
        .where(table.c.subject == conflict_id, table.c.kind.in_(sorted(kinds)))
        .distinct()
        .order_by(table.c.recipient)
    )
    return list(conn.execute(query).scalars())


def put_case_claims(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    insert_rows(conn, [(tables.case_claim, rows)])


_MOVED = (
    update(tables.case_claim)
    .where(tables.case_claim.c.claim_id == bindparam("b_id"))
    .values(state=bindparam("b_state"))
)


def move_claims(conn: Connection, states: Mapping[str, str]) -> None:
    """Claims that stand in a case changed their state; others are no affair of it."""
    if states:
        conn.execute(_MOVED, [{"b_id": id_, "b_state": states[id_]} for id_ in sorted(states)])


def case_claims(conn: Connection, conflict_ids: Collection[str]) -> dict[str, list[RowMapping]]:
    """The claims of each case in true order."""
    rows = conn.execute(_in_order(conn.dialect.name), {"ids": listed(conflict_ids)}).mappings()
    found: dict[str, list[RowMapping]] = {}
    for row in rows:
        found.setdefault(row["conflict_id"], []).append(row)
    return found


@cache
def _in_order(dialect: str) -> Select[Any]:
    table = tables.case_claim
    return (
        select(table)
        .where(among_given(dialect, table.c.conflict_id, "ids"))
        .order_by(table.c.conflict_id, table.c.place, table.c.claim_id)
    )


def put_timers(
    conn: Connection, wanted: Sequence[tuple[Case, Sequence[TimerDue]]], now: datetime
) -> None:
    """Timers of the cases' newest generations. One that is there already stays as it is; one that is
    over already counts as fired: whoever puts it tells of it."""
    table = tables.timer
    rows = [
        {
            "timer_id": new_id("tmr"),
            "subject": case.conflict_id,
            "kind": timer.kind,
            "step": timer.step,
            "generation": case.generation,
            "due_at": timer.due_at,
            "state": "pending" if timer.due_at > now else "fired",
            "ended_at": None if timer.due_at > now else now,
        }
        for case, timers in wanted
        for timer in timers
    ]
    insert_new(conn, table, rows)


def void_former(conn: Connection, subject: str, generation: int, now: datetime) -> None:
    """The subject was stamped anew: timers of older generations are void."""
    table = tables.timer
    conn.execute(
        update(table)
        .where(
            table.c.subject == subject,
            table.c.state == "pending",
            table.c.generation < generation,
        )
        .values(state="cancelled", reason=f"stamped anew: generation {generation}", ended_at=now)
    )


_DUE = (
    select(tables.timer)
    .where(tables.timer.c.state == "pending", tables.timer.c.due_at <= bindparam("now"))
    .order_by(tables.timer.c.due_at)
    .limit(bindparam("limit", type_=Integer))
    .with_for_update(skip_locked=True)
)


def claim_due_timers(conn: Connection, now: datetime, limit: int) -> list[RowMapping]:
    """Due timers that no other process holds, the most overdue first; locked."""
    return list(conn.execute(_DUE, {"now": now, "limit": limit}).mappings())


def end_timers(conn: Connection, timer_ids: Collection[str], now: datetime) -> None:
    """These timers have fired."""
    conn.execute(_fired(conn.dialect.name), {"ids": listed(timer_ids), "now": now})


@cache
def _fired(dialect: str) -> Update:
    return (
        update(tables.timer)
        .where(among_given(dialect, tables.timer.c.timer_id, "ids"))
        .values(state="fired", ended_at=bindparam("now"))
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
        opened_at=row["opened_at"],
        course=None if row["course"] is None else course_of(row["course"], row["closed_at"]),
        repeat_hours=row["repeat_hours"],
        level=row["level"],
        recorded=tuple(row["breached"]),
        correlation_id=row["correlation_id"],
        closed_at=row["closed_at"],
        closed_state=row["closed_state"],
        suspect=row["suspect"],
        ruling=row["ruling"],
    )

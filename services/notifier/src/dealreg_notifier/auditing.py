"""What must be true of notifier's tables: every open case has its clock, every intent ends.

Only reads, by index. Found faults are named, never mended here.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, RowMapping, func, or_, select

from dealreg_notifier import tables
from dealreg_notifier.consumers import TELLING, group
from dealreg_notifier.deliveries import OPEN_STATES
from dealreg_notifier.domain.ladder import DEADLINE, REPEAT
from dealreg_notifier.store import Case, case_of
from dealreg_shared.auditing import MOST, OVERDUE, Audited, Check, Finding, OpenCase, whole
from dealreg_shared.auditing.messages import message_checks
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.contracts.catalogue import ACCESS, PEOPLE

PENDING = "pending"


def _timers(conn: Connection, now: datetime) -> tuple[Sequence[Finding], int]:
    """Every timer fires in time."""
    table = tables.timer
    overdue = (table.c.state == PENDING, table.c.due_at < now - OVERDUE)
    rows = conn.execute(select(table).where(*overdue).order_by(table.c.due_at).limit(MOST)).all()
    findings = [
        Finding(
            f"The {row.kind} timer {row.timer_id} of {row.subject} has been due for "
            f"{(now - row.due_at).total_seconds():.0f} s.",
            (row.timer_id, row.subject),
            row.due_at,
        )
        for row in rows
    ]
    pending = conn.execute(
        select(func.count()).select_from(table).where(table.c.state == PENDING)
    ).scalar_one()
    return findings, pending


def _deliveries(conn: Connection, now: datetime) -> tuple[Sequence[Finding], int]:
    """Every intent is tried when it is due. While one is being sent, it is due when its lease ends."""
    table = tables.delivery
    rows = conn.execute(
        select(table)
        .where(
            table.c.state.in_(OPEN_STATES),
            table.c.carried_by.is_(None),
            table.c.due_at < now - OVERDUE,
        )
        .order_by(table.c.due_at)
        .limit(MOST)
    ).all()
    findings = [
        Finding(
            f"The delivery {row.delivery_id} by {row.channel} has been due for "
            f"{(now - row.due_at).total_seconds():.0f} s, and nothing sends it.",
            (row.delivery_id, row.notification_id, row.channel),
            row.due_at,
        )
        for row in rows
    ]
    return findings, len(rows)


def _carried(conn: Connection, _now: datetime) -> tuple[Sequence[Finding], int]:
    """A notice that travels in another's message shares its end."""
    table = tables.delivery
    carrier = table.alias("carrier")
    rows = conn.execute(
        select(table.c.delivery_id, table.c.carried_by, carrier.c.state, carrier.c.ended_at)
        .select_from(table.outerjoin(carrier, carrier.c.delivery_id == table.c.carried_by))
        .where(
            table.c.state.in_(OPEN_STATES),
            table.c.carried_by.is_not(None),
            or_(carrier.c.delivery_id.is_(None), carrier.c.state.not_in(OPEN_STATES)),
        )
        .limit(MOST)
    ).all()
    findings = [
        Finding(
            f"The delivery {row.delivery_id} went with {row.carried_by}, which is "
            f"{row.state or 'gone'}, and has no end itself.",
            (row.delivery_id, row.carried_by),
            row.ended_at,
        )
        for row in rows
    ]
    return findings, len(rows)


def _clocks(conn: Connection, now: datetime) -> tuple[Sequence[Finding], int]:
    """Every open case has one pending timer for each deadline that is to come, and no other."""
    cases = _open(conn)
    timer, case = tables.timer, tables.conflict_case
    pending: dict[str, list[RowMapping]] = {}
    astray = []
    for row in conn.execute(
        select(timer, case.c.conflict_id, case.c.closed_at)
        .select_from(timer.outerjoin(case, case.c.conflict_id == timer.c.subject))
        .where(timer.c.state == PENDING)
    ).mappings():
        if row["conflict_id"] is None or row["closed_at"] is not None:
            astray.append(
                Finding(
                    f"The {row['kind']} timer {row['timer_id']} is pending, but {row['subject']} is "
                    f"{'closed' if row['conflict_id'] else 'unknown'}.",
                    (row["timer_id"], row["subject"]),
                    row["closed_at"],
                )
            )
        pending.setdefault(row["subject"], []).append(row)
    found = [
        finding
        for each in cases
        for finding in _clock(each, pending.get(each.conflict_id, []), now)
    ]
    return [*found, *astray][:MOST], len(cases)


def _clock(case: Case, pending: Sequence[RowMapping], now: datetime) -> list[Finding]:
    if case.course is None or case.level is None:
        return []  # the terminal reason: nobody's time runs
    rungs = case.course.stamps[-1].deadlines
    to_come = {
        rung.level: rung.due_at
        for rung in rungs[:-1]
        if rung.level >= case.level and rung.due_at is not None and rung.due_at > now
    }
    findings = []
    seen: dict[int, list[datetime]] = {}
    for row in pending:
        if row["generation"] != case.generation:
            findings.append(
                Finding(
                    f"The {row['kind']} timer {row['timer_id']} of {case.conflict_id} belongs to stamp "
                    f"{row['generation']}, but stamp {case.generation} counts.",
                    (case.conflict_id, row["timer_id"]),
                )
            )
        elif row["kind"] == DEADLINE:
            seen.setdefault(row["step"], []).append(row["due_at"])
    findings += [
        Finding(
            f"Level {level} of {case.conflict_id} must act by {format_instant(due)}, and "
            f"{'no timer waits for it' if level not in seen else 'its timer waits for another time'}.",
            (case.conflict_id,),
            due,
        )
        for level, due in to_come.items()
        if seen.get(level) != [due]
    ]
    repeats = any(row["kind"] == REPEAT for row in pending)
    if case.level == rungs[-1].level and case.repeat_hours is not None and not repeats:
        findings.append(
            Finding(
                f"{case.conflict_id} is on its last level, and no timer waits to remind it.",
                (case.conflict_id,),
            )
        )
    return findings


def _open(conn: Connection) -> list[Case]:
    table = tables.conflict_case
    rows = conn.execute(select(table).where(table.c.closed_at.is_(None))).mappings()
    return [case_of(row) for row in rows]


def open_cases(conn: Connection) -> list[OpenCase]:
    """Every case that is open as far as notifier has heard, with the level that it told last."""
    return [
        OpenCase(case.conflict_id, case.opened_at, case.course, case.level) for case in _open(conn)
    ]


AUDITED = Audited(
    service="notifier",
    outbox=tables.outbox,
    inbox=tables.inbox,
    heartbeat=tables.heartbeat,
    access=tables.access,
    consumers={group(topic): [topic] for topic in (ACCESS, PEOPLE, *TELLING)},
    checks=[
        *message_checks(tables.outbox, tables.inbox),
        Check("timers", whole(_timers), often=True),
        Check("deliveries", whole(_deliveries), often=True),
        Check("clocks", whole(_clocks)),
        Check("carried", whole(_carried)),
    ],
    open_cases=open_cases,
)

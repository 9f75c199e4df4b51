"""From a change of a case's course to its timers, events and notices: for openings, steps and ticks."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from dealreg_notifier import directory, store
from dealreg_notifier.directory import Names
from dealreg_notifier.domain.ladder import Climb, Raised, climb, next_repeat, timers
from dealreg_notifier.notices import Desk, Draft
from dealreg_notifier.store import Case
from dealreg_notifier.tables import Fields
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.contracts.escalation import DeadlineBreached, EscalationRaised
from dealreg_shared.ladder import Course, Deadline
from dealreg_shared.outbox import Outgoing
from dealreg_shared.telemetry import metrics

KIND = "ladder"
REVIEWED, TAKEN, REMINDER, PAUSED, RESUMED, COMMENTED = (
    "case_reviewed",
    "case_taken",
    "case_reminder",
    "case_paused",
    "case_resumed",
    "case_commented",
)
STAFF_KINDS = frozenset({KIND, REVIEWED, TAKEN, REMINDER, PAUSED, RESUMED, COMMENTED})
"""Who got one of these hears when the case is settled."""

RAISED = "dealreg.escalation.raised.v1"
BREACHED = "dealreg.escalation.breached.v1"
ENDED = "dealreg.escalation.ended.v1"

_RAISED = metrics.counter(
    "dealreg_notifier_levels_raised", "Levels that became responsible for a conflict.", "level"
)
_UNASSIGNED = metrics.counter(
    "dealreg_notifier_levels_unassigned",
    "Levels that became responsible and have nobody.",
    "level",
)


def advance(
    conn: Connection, desk: Desk, cases: Sequence[Case], now: datetime
) -> list[tuple[Case, Climb]]:
    """Bring open cases to their level at ``now``: record it, set the timers that follow, and publish.

    The cases' rows are locked, or new. Answers with the cases as they are now and with what changed;
    whom to tell is the caller's affair.
    """
    unknown = directory.erased(conn, [person for case in cases for person in case.people])
    found: list[tuple[Case, Climb]] = []
    wanted = []
    outgoing: list[Outgoing] = []
    for case in cases:
        course = ladder_of(case)
        change = climb(course, case.level, case.recorded, now, unknown)
        recorded = (*case.recorded, *(rung.level for rung in change.breached))
        after = replace(case, level=change.level, recorded=recorded)
        found.append((after, change))
        repeat = next_repeat(course, change.level, _every(case), now)
        fresh = [] if case.level is not None else timers(course, change.level)
        wanted.append((after, [*fresh, *([repeat] if repeat is not None else [])]))
        outgoing += events(after, change, now)
        show(desk, after, change)
    store.set_levels(conn, [after for after, change in found if change.raised or change.breached])
    store.put_timers(conn, wanted, now)
    if outgoing:
        desk.outbox.append(conn, outgoing, now)
    return found


def restamp(
    conn: Connection, desk: Desk, case: Case, course: Course, now: datetime
) -> tuple[Case, Climb]:
    """A step changed the course of an open case: timers of former stamps are void already."""
    stamped = replace(case, course=course)
    store.set_course(conn, case.conflict_id, course)
    ((after, change),) = advance(conn, desk, [stamped], now)
    if after.level != case.level:
        store.set_levels(conn, [after])
    if stamped.generation != case.generation and after.level is not None:
        store.put_timers(conn, [(after, timers(course, after.level))], now)
    return after, change


def ladder_of(case: Case) -> Course:
    """The course of a case that has one."""
    if case.course is None:
        raise ValueError(f"case {case.conflict_id} has no ladder")
    return case.course


def _every(case: Case) -> timedelta | None:
    return None if case.repeat_hours is None else timedelta(hours=case.repeat_hours)


def events(case: Case, change: Climb, now: datetime) -> list[Outgoing]:
    """Each missed deadline, then the level after it, from the lowest up."""
    breached = {rung.level: rung for rung in change.breached}
    raised = {step.rung.level: step for step in change.raised}
    found: list[Outgoing] = []
    for level in sorted(breached.keys() | raised.keys()):
        if level in raised:
            found.append(_raised(case, raised[level], now))
        if level in breached:
            found.append(breach(case, breached[level], now))
    return found


def breach(case: Case, rung: Deadline, now: datetime) -> Outgoing:
    """A missed deadline, for the record."""
    if rung.due_at is None:
        raise ValueError(f"level {rung.level} has no deadline to miss")
    data = DeadlineBreached(
        conflict_id=case.conflict_id,
        level=rung.level,
        role=_role(rung),
        person_id=rung.person_id,
        due_at=rung.due_at,
        at=now,
    )
    return Outgoing(
        type=BREACHED,
        key=case.conflict_id,
        subject=case.conflict_id,
        data=data,
        correlation_id=case.correlation_id,
    )


def drafts(
    case: Case, change: Climb, claims: Sequence[Fields], names: Names, *, opening: bool = False
) -> list[Draft]:
    """One notice per person: what to do, what was missed, and how late this notice is."""
    rungs = ladder_of(case).stamps[-1].deadlines
    turn = next(rung for rung in rungs if rung.level == change.level)
    if change.raised:
        turn = change.raised[-1].rung
    facts = {
        **case_facts(case, names),
        **claim_facts(claims, names),
        **lateness(change),
        "opening": opening,
        "turn": rung_facts(turn),
    }
    return [
        Draft(
            kind=KIND,
            recipient=told.person_id,
            subject=case.conflict_id,
            cause=cause(case, f"{change.level}"),
            facts={
                **facts,
                "called": None if told.called is None else rung_facts(told.called),
                "stands_in_for": told.stands_in_for,
                "missed": [rung_facts(rung) for rung in told.missed],
                "passed": [rung_facts(rung) for rung in change.breached if rung not in told.missed],
            },
            correlation_id=case.correlation_id,
        )
        for told in change.told
    ]


def cause(case: Case, step: str) -> str:
    """What made a notice, unique per case, stamp and step."""
    return f"{case.conflict_id}/{case.generation}/{step}"


def lateness(change: Climb) -> dict[str, Any]:
    """How late a change of level is being told, and when it happened."""
    if not change.raised:
        return {"late_seconds": 0.0, "since": None}
    turn = change.raised[-1]
    return {"late_seconds": turn.late.total_seconds(), "since": format_instant(turn.since)}


def claim_facts(claims: Sequence[Fields], names: Names) -> dict[str, Any]:
    """The claims of a case, for staff."""
    return {
        "lines": lines(claims, names),
        "claims": [
            {
                "claim_id": claim["claim_id"],
                "partner": names.partner(claim["partner_id"]),
                "line": names.line(claim["product_line"]),
                "state": claim["state"],
            }
            for claim in claims
        ],
    }


def show(desk: Desk, case: Case, change: Climb) -> None:
    """Count what happened, and say where nobody could be told."""
    for step in change.raised:
        _RAISED.labels(str(step.rung.level)).inc()
    for rung in change.unassigned:
        _UNASSIGNED.labels(str(rung.level)).inc()
        desk.nobody(KIND, case.conflict_id, rung.role)


def case_facts(case: Case, names: Names) -> dict[str, Any]:
    """What every notice to staff about a case says."""
    return {
        "account": case.account_name,
        "conflict_id": case.conflict_id,
        "case_kind": case.kind,
        **names.market(case.region, case.segment),
        "opened_at": format_instant(case.opened_at),
        "suspect": None if case.suspect is None else dict(case.suspect),
    }


def rung_facts(rung: Deadline) -> dict[str, Any]:
    return {
        "level": rung.level,
        "role": rung.role,
        "known": rung.person_id is not None,
        "due_at": None if rung.due_at is None else format_instant(rung.due_at),
    }


def lines(claims: Iterable[Fields], names: Names) -> list[str]:
    """The product lines of these claims, each once."""
    return list(dict.fromkeys(names.line(claim["product_line"]) for claim in claims))


def _raised(case: Case, step: Raised, now: datetime) -> Outgoing:
    data = EscalationRaised(
        conflict_id=case.conflict_id,
        level=step.rung.level,
        role=_role(step.rung),
        person_id=step.rung.person_id,
        due_at=step.rung.due_at,
        at=now,
        late_seconds=step.late.total_seconds(),
    )
    return Outgoing(
        type=RAISED,
        key=case.conflict_id,
        subject=case.conflict_id,
        data=data,
        correlation_id=case.correlation_id,
    )


def _role(rung: Deadline) -> Any:
    """The stamped role; the event's model refuses any other."""
    return rung.role

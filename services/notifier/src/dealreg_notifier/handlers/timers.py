"""Timers that are due: claimed, judged and acted on in one transaction, on the database's clock.

Several notifiers may run this at once. A timer belongs to whoever locks it first; two timers of one case
meet at the case's lock, and the second finds that the level was told already.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, RowMapping

from dealreg_notifier import directory, store
from dealreg_notifier.domain.ladder import DEADLINE, REMINDER, Climb, actor, known, reminded
from dealreg_notifier.handlers import ladder
from dealreg_notifier.notices import Desk, Draft
from dealreg_notifier.store import Case
from dealreg_notifier.tables import Fields
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import app_now
from dealreg_shared.ladder import Deadline
from dealreg_shared.telemetry import metrics

BATCH = 200

_LATENESS = metrics.histogram(
    "dealreg_notifier_timer_lateness_seconds", "How long after its due time a timer fired."
)


def fire_due(conn: Connection, desk: Desk) -> int:
    """Fire up to ``BATCH`` due timers. Returns how many; fewer means that none is left."""
    due = store.claim_due_timers(conn, app_now(conn), BATCH)
    if not due:
        return 0
    crashpoint("timers.claimed")
    cases = store.lock_cases(conn, {timer["subject"] for timer in due})
    now = app_now(conn)
    store.end_timers(conn, [timer["timer_id"] for timer in due], now)
    crashpoint("timers.ended")
    for timer in due:
        _LATENESS.observe((now - timer["due_at"]).total_seconds())
    _act(conn, desk, [case for case in cases if case.closed_at is None], due, now)
    crashpoint("timers.acted")
    return len(due)


def _act(
    conn: Connection, desk: Desk, cases: Sequence[Case], due: Sequence[RowMapping], now: datetime
) -> None:
    changes = ladder.advance(conn, desk, [case for case in cases if case.course], now)
    reminders = _reminders(changes, due, now)
    talked_of = [case for case, change in changes if change.told or case.conflict_id in reminders]
    claims = store.case_claims(conn, [case.conflict_id for case in talked_of])
    unknown = directory.erased(conn, [person for case in talked_of for person in case.people])
    names = _names(conn, talked_of, claims)
    drafts: list[Draft] = []
    for case, change in changes:
        own = claims.get(case.conflict_id, [])
        if change.told:
            drafts += ladder.drafts(case, change, own, names[case.plan_number])
        elif case.conflict_id in reminders:
            timer, rung = reminders[case.conflict_id]
            who = actor(known(ladder.ladder_of(case), unknown), rung.level)
            if who is None or who.person_id is None:
                desk.nobody(ladder.REMINDER, case.conflict_id, rung.role)
                continue
            drafts.append(
                Draft(
                    kind=ladder.REMINDER,
                    recipient=who.person_id,
                    subject=case.conflict_id,
                    cause=ladder.cause(case, f"{timer['kind']}/{timer['step']}"),
                    facts={
                        **ladder.case_facts(case, names[case.plan_number]),
                        **ladder.claim_facts(own, names[case.plan_number]),
                        "called": ladder.rung_facts(rung),
                        "stands_in_for": rung.role if who.level != rung.level else None,
                        "now": format_instant(now),
                        "left_seconds": (
                            None if rung.due_at is None else (rung.due_at - now).total_seconds()
                        ),
                        "late_seconds": (now - timer["due_at"]).total_seconds(),
                        "since": format_instant(timer["due_at"]),
                    },
                    correlation_id=case.correlation_id,
                )
            )
    desk.tell(conn, drafts, now)


def _reminders(
    changes: Sequence[tuple[Case, Climb]], due: Sequence[RowMapping], now: datetime
) -> Mapping[str, tuple[RowMapping, Deadline]]:
    """The last reminder that is due of each case, and the level that it is for, if it is its turn."""
    found: dict[str, tuple[RowMapping, Deadline]] = {}
    by_case = {case.conflict_id: ladder.ladder_of(case) for case, _ in changes}
    for timer in sorted(due, key=lambda row: row["due_at"]):
        course = by_case.get(timer["subject"])
        newest = course.stamps[-1] if course is not None else None
        if course is None or newest is None or timer["generation"] != newest.generation:
            continue
        if timer["kind"] == DEADLINE:
            continue
        rung = (
            reminded(course, timer["step"], now)
            if timer["kind"] == REMINDER
            else newest.deadlines[-1]
        )
        if rung is not None:
            found[timer["subject"]] = (timer, rung)
    return found


def _names(
    conn: Connection, cases: Sequence[Case], claims: Mapping[str, Sequence[Fields]]
) -> dict[int, directory.Names]:
    found: dict[int, directory.Names] = {}
    for plan_number in {case.plan_number for case in cases}:
        own = [
            claim
            for case in cases
            if case.plan_number == plan_number
            for claim in claims.get(case.conflict_id, ())
        ]
        found[plan_number] = directory.names(
            conn,
            plan_number,
            lines=[claim["product_line"] for claim in own],
            partners=[claim["partner_id"] for claim in own],
        )
    return found

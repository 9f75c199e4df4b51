"""Deadlines that are due: claimed, judged and acted on in one transaction, on the database's clock.

Several notifiers may run this at once. A timer belongs to whoever locks it first; two timers of one case
meet at the case's lock, and the second finds that the level was told already.
"""

from datetime import datetime

from sqlalchemy import Connection

from dealreg_notifier import directory, store
from dealreg_notifier.domain.ladder import climb
from dealreg_notifier.handlers import ladder
from dealreg_notifier.notices import Desk, Draft
from dealreg_shared.db import app_now
from dealreg_shared.outbox import Outgoing
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
    cases = store.lock_cases(conn, {timer["subject"] for timer in due})
    now = app_now(conn)
    store.end_timers(conn, [timer["timer_id"] for timer in due], now)
    for timer in due:
        _LATENESS.observe((now - timer["due_at"]).total_seconds())
    _climb(conn, desk, cases, now)
    return len(due)


def _climb(conn: Connection, desk: Desk, cases: list[store.Case], now: datetime) -> None:
    unknown = directory.erased(conn, [rung.person_id for case in cases for rung in case.rungs])
    open_cases = [case for case in cases if case.closed_at is None]
    changes = [
        (case, climb(case.rungs, case.opened_at, case.level, now, unknown)) for case in open_cases
    ]
    changes = [(case, change) for case, change in changes if change.level != case.level]
    claims = store.case_claims(conn, [case.conflict_id for case, _ in changes])
    events: list[Outgoing] = []
    drafts: list[Draft] = []
    names: dict[int, directory.Names] = {}
    for plan_number in {case.plan_number for case, _ in changes}:
        own = [
            claim
            for case, _ in changes
            if case.plan_number == plan_number
            for claim in claims.get(case.conflict_id, ())
        ]
        names[plan_number] = directory.names(
            conn,
            plan_number,
            lines=[claim["product_line"] for claim in own],
            partners=[claim["partner_id"] for claim in own],
        )
    for case, change in changes:
        events += ladder.events(case, change, now)
        drafts += ladder.drafts(
            case,
            change,
            claims.get(case.conflict_id, []),
            names[case.plan_number],
            opening=False,
        )
        ladder.show(desk, case, change)
    store.set_levels(conn, {case.conflict_id: change.level for case, change in changes})
    if events:
        desk.outbox.append(conn, events, now)
    desk.tell(conn, drafts, now)

"""Looks at everything when time alone may have changed it.

A new quarter ages deals and freezes the programme's mean anew; a day may begin or end assignments and
end hand-set factors; a published plan comes in force at its instant; a late deal of a former quarter
moves the programme's mean. Cheap when nothing is due.
"""

from datetime import date

from sqlalchemy import Connection

from dealreg_coverage import store
from dealreg_coverage.domain.plan import Plan
from dealreg_coverage.domain.quarter import quarter_of
from dealreg_coverage.handlers.assess import assess_all
from dealreg_coverage.handlers.desk import Cause, Desk
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import app_now


def time_passed(desk: Desk, conn: Connection) -> bool:
    """Whether everything was looked at again."""
    store.one_writer(conn)
    now = app_now(conn)
    plan = desk.shelf.in_force(conn, now)
    if plan is None:
        return False
    day, number = store.refreshed(conn)
    today = now.date()
    if number == plan.number and day is not None:
        if day == today.isoformat():
            return False
        if not _matters(conn, plan, date.fromisoformat(day), today):
            store.set_refreshed(conn, today.isoformat(), plan.number)
            crashpoint("coverage.day_noted")
            return False
    because = (
        "time passed" if number in (plan.number, None) else f"plan {plan.number} came in force"
    )
    assess_all(conn, desk, now, Cause.by_itself(because))
    crashpoint("coverage.time_assessed")
    return True


def _matters(conn: Connection, plan: Plan, before: date, today: date) -> bool:
    """Whether anything of a score depends on which of two days it is."""
    return (
        quarter_of(before) != quarter_of(today)
        or plan.period(before) != plan.period(today)
        or store.hand_set_ends(conn, before.isoformat(), today.isoformat())
    )

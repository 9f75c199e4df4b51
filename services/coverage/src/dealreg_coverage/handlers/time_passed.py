"""Looks at everything when time alone may have changed it.

A new day ends hand-set factors and assignments and may begin a quarter; a published plan comes in force
at its instant; a late event of a former quarter moves the programme's mean. Cheap when nothing is due.
"""

from sqlalchemy import Connection

from dealreg_coverage import store
from dealreg_coverage.handlers.assess import assess_all
from dealreg_coverage.handlers.desk import Cause, Desk
from dealreg_shared.db import app_now


def time_passed(desk: Desk, conn: Connection) -> bool:
    """Whether everything was looked at again."""
    store.one_writer(conn)
    now = app_now(conn)
    plan = desk.shelf.in_force(conn, now)
    if plan is None:
        return False
    day, number = store.refreshed(conn)
    if (day, number) == (now.date().isoformat(), plan.number):
        return False
    because = "time passed" if number == plan.number else f"plan {plan.number} came in force"
    assess_all(conn, desk, now, Cause.by_itself(because))
    return True

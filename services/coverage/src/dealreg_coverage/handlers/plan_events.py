"""Plans and partners' standing: parts are kept, a manifest completes a plan, a suspension counts."""

from sqlalchemy import Connection

from dealreg_coverage import plans, store
from dealreg_coverage.handlers.assess import assess_all
from dealreg_coverage.handlers.desk import Cause, Desk
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.contracts.plan import PartnerStatusChanged, PlanPart, PlanPublished
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import app_now


def part_arrived(_desk: Desk, conn: Connection, event: Event[PlanPart]) -> None:
    plans.store_part(conn, event.data)
    crashpoint("coverage.part_stored")


def published(desk: Desk, conn: Connection, event: Event[PlanPublished]) -> None:
    """A plan in force already counts at once; a later one when its instant has come (a tick)."""
    store.one_writer(conn)
    plans.store_manifest(conn, event.data)
    crashpoint("coverage.plan_stored")
    now = app_now(conn)
    if event.data.in_force_from <= now:
        because = f"plan {event.data.plan_number} came in force"
        assess_all(conn, desk, now, Cause.of(event, because))


def status_changed(desk: Desk, conn: Connection, event: Event[PartnerStatusChanged]) -> None:
    store.one_writer(conn)
    suspended = event.data.status == "suspended"
    store.set_status(conn, event.data.partner_id, event.data.at, suspended=suspended)
    crashpoint("coverage.standing_set")
    because = f"partner {'suspended' if suspended else 'active again'}"
    now = max(app_now(conn), event.data.at)  # the sender's clock may be a little ahead of ours
    assess_all(conn, desk, now, Cause.of(event, because))

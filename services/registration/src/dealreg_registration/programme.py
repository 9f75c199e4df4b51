"""The published plans and the partners' standing, compiled and kept in memory.

A process reads them again when the programme's version has changed, which every transaction of the
account writer checks after its locks; so no decision is made under a plan that is out of date.
"""

import gc
from collections.abc import Mapping
from datetime import datetime
from threading import Lock

from sqlalchemy import Connection, select

from dealreg_registration.compiling import compile_plan
from dealreg_registration.domain.plan import Plan, PlanBook, Standing, StatusPeriod
from dealreg_registration.domains import registrable_domain
from dealreg_registration.tables_programme import partner_status, plan, programme_state
from dealreg_shared.contracts.plan_document import PlanDocument
from dealreg_shared.db import app_now


class Programme:
    """One per process; safe to use from the database's threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._version: int | None = None
        self._plans: dict[int, Plan] = {}
        self._current = (PlanBook(()), Standing())

    def current(self, conn: Connection) -> tuple[PlanBook, Standing]:
        """Plans and standing as this transaction sees them."""
        version = conn.execute(select(programme_state.c.version)).scalar_one_or_none()
        with self._lock:
            if version != self._version:
                self._load(conn)
                self._version = version
            return self._current

    def released(self, conn: Connection) -> Mapping[str, datetime]:
        """Partners whose suspension has ended their protections by now, and the instant it did."""
        _, standing = self.current(conn)
        return standing.last_releases(app_now(conn))

    def _load(self, conn: Connection) -> None:
        known = set(self._plans)
        rows = conn.execute(
            select(plan.c.number, plan.c.in_force_from, plan.c.document).where(
                plan.c.number.not_in(known)
            )
        )
        for row in rows:
            document = PlanDocument.model_validate_json(row.document)
            self._plans[row.number] = compile_plan(
                document, row.number, row.in_force_from, registrable_domain
            )
        periods: dict[str, list[StatusPeriod]] = {}
        for row in conn.execute(select(partner_status).order_by(partner_status.c.since)):
            periods.setdefault(row.partner_id, []).append(
                StatusPeriod(row.since, row.status == "suspended", row.release_at)
            )
        self._current = (PlanBook(self._plans.values()), Standing(periods))
        # A plan's index is large and never changes: keep the collector from walking it again and again.
        gc.collect()
        gc.freeze()

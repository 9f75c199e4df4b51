"""What the programme's routes are made from, and the reads that several of them share."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, func, select

from dealreg_registration.api.errors import not_found
from dealreg_registration.domain.errors import NoPlanInForce
from dealreg_registration.plans import PlanShelf, ShelvedPlan
from dealreg_registration.tables_programme import plan
from dealreg_shared.auth import Authenticator, Principal
from dealreg_shared.db import Database, app_now
from dealreg_shared.db.engine import utc_now
from dealreg_shared.outbox import Outbox


async def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class ProgrammeParts:
    """``committed`` wakes the relay after a commit; ``plans_changed`` lets the process read a new plan
    before the next decision needs it. ``real_now`` is the clock that keys live by.
    """

    database: Database
    authenticator: Authenticator
    outbox: Outbox
    programme: str
    committed: Callable[[], None] = lambda: None
    plans_changed: Callable[[], Awaitable[None]] = _nothing
    real_now: Callable[[], datetime] = utc_now
    shelf: PlanShelf = field(default_factory=PlanShelf)

    def current_plan(self, conn: Connection) -> ShelvedPlan:
        """The plan in force; before the first is, the one published last. Raises ``NoPlanInForce``."""
        found = self.shelf.at(conn, app_now(conn))
        if found is None:
            newest = conn.execute(select(func.max(plan.c.number))).scalar_one()
            found = None if newest is None else self.shelf.get(conn, newest)
        if found is None:
            raise NoPlanInForce("No plan is published yet.")
        return found


def own_only(principal: Principal) -> str | None:
    """The partner whose things alone the caller may see; None for staff, who see all."""
    if principal.is_staff:
        return None
    if principal.partner_id is None:
        raise not_found()
    return principal.partner_id

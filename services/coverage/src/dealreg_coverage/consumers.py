"""Event type -> what happens here. Types of these topics that are not listed change nothing.

Coverage reads what registration tells: plans and standing, claims and deals, and API keys for its own
door. Each handler runs in the transaction that also notes the event as applied.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sqlalchemy import Connection

from dealreg_coverage.handlers import deal_events, plan_events
from dealreg_coverage.handlers.desk import Desk
from dealreg_shared.auth import apply_access, forget_access
from dealreg_shared.contracts.catalogue import ACCESS, PLAN, REGISTRATION
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.inbox import Handler

TOPICS = (PLAN, REGISTRATION, ACCESS)

GROUP = "coverage"

PROJECTIONS: Mapping[str, Callable[[Desk, Connection, Event[Any]], None]] = {
    "dealreg.plan.part.v1": plan_events.part_arrived,
    "dealreg.plan.published.v1": plan_events.published,
    "dealreg.partner.suspended.v1": plan_events.status_changed,
    "dealreg.partner.reactivated.v1": plan_events.status_changed,
    "dealreg.registration.filed.v1": deal_events.filed,
    "dealreg.registration.lines-added.v1": deal_events.filed,
    "dealreg.registration.won.v1": deal_events.won,
    "dealreg.registration.lost.v1": deal_events.lost,
    "dealreg.registration.withdrawn.v1": deal_events.withdrawn,
    "dealreg.claim.expired.v1": deal_events.expired,
    "dealreg.claim.superseded.v1": deal_events.superseded,
    "dealreg.conflict.opened.v1": deal_events.conflict_opened,
}

TOMBSTONES: Mapping[str, Callable[[Connection, str], None]] = {ACCESS: forget_access}


def handlers(desk: Desk) -> dict[str, Handler]:
    """The table, bound to a desk."""
    bound: dict[str, Handler] = {
        name: partial(handler, desk) for name, handler in PROJECTIONS.items()
    }
    bound["dealreg.access.key-updated.v1"] = apply_access
    return bound

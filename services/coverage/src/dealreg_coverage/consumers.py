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
from dealreg_coverage.tables import INBOX
from dealreg_shared.auth import apply_access, forget_access
from dealreg_shared.bus.port import Bus
from dealreg_shared.contracts.catalogue import ACCESS, PLAN, REGISTRATION
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.db import Database
from dealreg_shared.inbox import Consumer, Handler

HandlerHere = Callable[[Desk, Connection, Event[Any]], None]

PROJECTIONS: Mapping[str, Mapping[str, HandlerHere]] = {
    PLAN: {
        "dealreg.plan.part.v1": plan_events.part_arrived,
        "dealreg.plan.published.v1": plan_events.published,
        "dealreg.partner.suspended.v1": plan_events.status_changed,
        "dealreg.partner.reactivated.v1": plan_events.status_changed,
    },
    REGISTRATION: {
        "dealreg.registration.filed.v1": deal_events.filed,
        "dealreg.registration.lines-added.v1": deal_events.filed,
        "dealreg.registration.won.v1": deal_events.won,
        "dealreg.registration.lost.v1": deal_events.lost,
        "dealreg.registration.corrected.v1": deal_events.corrected,
        "dealreg.registration.withdrawn.v1": deal_events.withdrawn,
        "dealreg.claim.expired.v1": deal_events.expired,
        "dealreg.claim.withdrawn.v1": deal_events.claim_withdrawn,
        "dealreg.claim.superseded.v1": deal_events.superseded,
        "dealreg.conflict.opened.v1": deal_events.conflict_opened,
    },
}
"""What is made of the log, and made again by a rebuild, topic by topic in this order."""


def consumers(database: Database, bus: Bus, desk: Desk) -> list[Consumer]:
    """One per topic, so that a topic that waits for a plan does not hold up the plan."""
    return [
        Consumer(
            database,
            INBOX,
            bus,
            group(ACCESS),
            [ACCESS],
            {"dealreg.access.key-updated.v1": apply_access},
            tombstones={ACCESS: forget_access},
        ),
        *(
            Consumer(database, INBOX, bus, group(topic), [topic], bound(handlers, desk))
            for topic, handlers in PROJECTIONS.items()
        ),
    ]


def bound(handlers: Mapping[str, HandlerHere], desk: Desk) -> dict[str, Handler]:
    """The handlers of a topic, at a desk."""
    return {name: partial(handler, desk) for name, handler in handlers.items()}


def group(topic: str) -> str:
    """The name under which coverage reads a topic."""
    return f"coverage-{topic.removeprefix('dealreg.')}"

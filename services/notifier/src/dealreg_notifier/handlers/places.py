"""What follows for an endpoint, or for a person's address, from the outcome of an attempt.

An endpoint that is gone, that failed for a whole schedule, or that took nothing for five days is
switched off, and its owner is told by other channels. An address that is refused for good is marked
until it changes. In the transaction that records the outcome.
"""

from datetime import datetime

from sqlalchemy import Connection

from dealreg_notifier import bounces, deliveries, endpoints
from dealreg_notifier.channels.email import NAME as EMAIL
from dealreg_notifier.channels.port import Delivered, Outcome, Place, Refused, Retry
from dealreg_notifier.deliveries import Claimed
from dealreg_notifier.domain.retries import BREATHER, GIVING_UP, Schedule
from dealreg_notifier.notices import Desk, Draft
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.telemetry import get_logger, metrics

OFF = "endpoint_off"

_OFF = metrics.counter(
    "dealreg_notifier_endpoints_off", "Endpoints that were switched off, by kind.", "kind"
)


def took_note(conn: Connection, desk: Desk, item: Claimed, outcome: Outcome, now: datetime) -> None:
    """After an attempt was recorded."""
    if item.place is not None:
        _place(conn, desk, item, item.place, outcome, now)
    elif item.channel == EMAIL and item.email is not None:
        if isinstance(outcome, Delivered):
            bounces.forget(conn, item.person_id)
        elif isinstance(outcome, Refused) and outcome.gone:
            bounces.put(conn, item.person_id, item.email, outcome.error, now)


def _place(
    conn: Connection, desk: Desk, item: Claimed, place: Place, outcome: Outcome, now: datetime
) -> None:
    if outcome.exchange is not None:
        endpoints.log(
            conn,
            place,
            item.delivery_id,
            item.attempt,
            type(outcome).__name__.lower(),
            outcome.exchange,
            None if isinstance(outcome, Delivered) else outcome.error,
            now,
        )
    if isinstance(outcome, Delivered):
        endpoints.succeeded(conn, place.endpoint_id)
        return
    since = endpoints.failed(conn, place, now)
    reason = _why_off(item, outcome, desk.channels[item.channel].schedule, since, now)
    if reason is not None:
        _switch_off(conn, desk, item, place, reason, now)
    elif isinstance(outcome, Retry):
        wait = BREATHER if outcome.after is None else outcome.after
        deliveries.hold_back(conn, place.endpoint_id, now + wait, but=item.delivery_id)


def _why_off(
    item: Claimed, outcome: Retry | Refused, schedule: Schedule, since: datetime, now: datetime
) -> str | None:
    if isinstance(outcome, Refused):
        return outcome.error if outcome.gone else None
    if now - since >= GIVING_UP:
        return f"nothing was taken for {GIVING_UP.days} days; the last answer: {outcome.error}"
    spent = item.attempt - item.spent >= schedule.attempts
    if spent and now - since >= schedule.shortest:
        return f"{schedule.attempts} attempts failed; the last answer: {outcome.error}"
    return None


def _switch_off(
    conn: Connection, desk: Desk, item: Claimed, place: Place, reason: str, now: datetime
) -> None:
    row = endpoints.switch_off(conn, place, reason, now)
    crashpoint("endpoint.switched_off")
    if row is None:
        return
    _OFF.labels(row["kind"]).inc()
    get_logger(__name__).warning(
        "an endpoint was switched off", endpoint_id=place.endpoint_id, kind=row["kind"]
    )
    recipients = endpoints.recipients_of(conn, row)
    if not recipients:
        desk.nobody(OFF, place.endpoint_id, "admin")
    drafts = [
        Draft(
            kind=OFF,
            recipient=recipient,
            subject=place.endpoint_id,
            cause=f"{place.endpoint_id}/{format_instant(now)}",
            facts={
                "endpoint_id": place.endpoint_id,
                "endpoint_kind": row["kind"],
                "description": row["description"],
                "reason": reason,
                "at": format_instant(now),
            },
            correlation_id=item.correlation_id,
        )
        for recipient in recipients
    ]
    desk.tell(conn, drafts, now)

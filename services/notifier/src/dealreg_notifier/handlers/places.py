"""What follows for an endpoint, or for a person's address, from the outcome of an attempt.

An endpoint that is gone, that failed for a whole schedule, or that took nothing for five days is
switched off, and its owner is told by other channels. An address that is refused for good is marked
until it changes. In the transaction that records the outcome.
"""

from collections.abc import Sequence
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


def took_note(
    conn: Connection, desk: Desk, attempts: Sequence[tuple[Claimed, Outcome]], now: datetime
) -> None:
    """After these attempts were recorded. What went well, which is most, takes a statement or two."""
    endpoints.log(conn, [_logged(item, outcome, now) for item, outcome in attempts if item.place])
    _lock(conn, attempts)
    arrived = [item for item, outcome in attempts if isinstance(outcome, Delivered)]
    endpoints.succeeded(conn, {item.place.endpoint_id for item in arrived if item.place})
    bounces.forget(
        conn, [item.person_id for item in arrived if item.channel == EMAIL and item.email]
    )
    for item, outcome in attempts:
        if isinstance(outcome, Delivered):
            continue
        if item.place is not None:
            _failed(conn, desk, item, item.place, outcome, now)
        elif isinstance(outcome, Refused) and outcome.gone and item.channel == EMAIL and item.email:
            bounces.put(conn, item.person_id, item.email, outcome.error, now)


def _lock(conn: Connection, attempts: Sequence[tuple[Claimed, Outcome]]) -> None:
    """Endpoints that failed, or may get over it, are judged one by one, in the order of their ids."""
    posted = [(item.place.endpoint_id, outcome) for item, outcome in attempts if item.place]
    failed = {endpoint_id for endpoint_id, outcome in posted if not isinstance(outcome, Delivered)}
    endpoints.lock(conn, {endpoint_id for endpoint_id, _ in posted}, failed)


def _logged(item: Claimed, outcome: Outcome, now: datetime) -> endpoints.Logged:
    return endpoints.Logged(
        item.person_id,
        item.delivery_id,
        item.attempt,
        type(outcome).__name__.lower(),
        outcome.exchange,
        None if isinstance(outcome, Delivered) else outcome.error,
        now,
    )


def _failed(
    conn: Connection,
    desk: Desk,
    item: Claimed,
    place: Place,
    outcome: Retry | Refused,
    now: datetime,
) -> None:
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

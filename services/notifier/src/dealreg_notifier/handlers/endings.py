"""What became of a registration or a claim after it was decided: its partner is told, nobody else.

A credit names the owner and the source of a referral, who may be other partners: neither is passed on.
"""

from typing import Any

from sqlalchemy import Connection

from dealreg_notifier import directory, store
from dealreg_notifier.notices import Desk, Draft, partner
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.db import app_now


def registration_ended(conn: Connection, event: Event[Any], desk: Desk) -> None:
    """Won, lost, withdrawn or revoked: the event's own name says which."""
    data = event.data
    names = directory.names(
        conn, data.plan_number, lines=[claim.product_line for claim in data.claims]
    )
    store.move_claims(conn, {claim.claim_id: claim.to_state for claim in data.claims})
    draft = Draft(
        kind="registration_ended",
        recipient=partner(data.partner_id),
        subject=data.registration_id,
        cause=str(event.id),
        facts={
            "result": event.type.split(".")[2],
            "account": data.account_name,
            "registration_id": data.registration_id,
            "lines": [names.line(claim.product_line) for claim in data.claims],
            "at": format_instant(data.at),
            "protected": data.protected,
            "reason": data.reason,
            "credited": data.credit is not None and data.credit.sold_by == data.partner_id,
        },
        correlation_id=event.correlationid,
    )
    desk.tell(conn, [draft], app_now(conn))


def claim_changed(conn: Connection, event: Event[Any], desk: Desk) -> None:
    """Expired, promoted, closed, superseded or released. What a ruling did is told with the ruling."""
    data = event.data
    claim = data.claim
    store.move_claims(conn, {claim.claim_id: claim.to_state})
    if data.cause == "ruling":
        return
    names = directory.names(conn, data.plan_number, lines=[claim.product_line])
    draft = Draft(
        kind="claim_changed",
        recipient=partner(data.partner_id),
        subject=data.registration_id,
        cause=str(event.id),
        facts={
            "account": data.account_name,
            "registration_id": data.registration_id,
            "claim_id": claim.claim_id,
            "line": names.line(claim.product_line),
            "from_state": claim.from_state,
            "to_state": claim.to_state,
            "cause": data.cause,
            "at": format_instant(data.at),
            "reasons": list(data.reasons),
            "protected_from": _instant(data.protected_from),
            "protected_until": _instant(data.protected_until),
        },
        correlation_id=event.correlationid,
    )
    desk.tell(conn, [draft], app_now(conn))


def result_corrected(conn: Connection, event: Event[Any], _desk: Desk) -> None:
    """Another result is on record; the ruling that put it there is told to all parties."""
    store.move_claims(conn, {claim.claim_id: claim.to_state for claim in event.data.claims})


def _instant(value: Any) -> str | None:
    return None if value is None else format_instant(value)

"""What is under way on a claim: its partner is told what to do by when; the market's manager what came.

A partner reads of its own claim alone: an offer says that the line was lost, never by whom.
"""

from typing import Any

from sqlalchemy import Connection

from dealreg_notifier import directory
from dealreg_notifier.notices import Desk, Draft, partner
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.db import app_now

TO_PARTNER = {
    "dealreg.claim.offered.v1": "offer",
    "dealreg.claim.offer-lapsed.v1": "offer_lapsed",
    "dealreg.claim.information-wanted.v1": "information_wanted",
    "dealreg.claim.extension-refused.v1": "extension_refused",
    "dealreg.claim.expiring.v1": "expiring",
    "dealreg.claim.idle.v1": "idle",
}
TO_DO = frozenset({"offer", "information_wanted", "expiring", "idle"})
TO_MANAGER = {
    "dealreg.claim.information-given.v1": "information_given",
    "dealreg.claim.extension-asked.v1": "extension_asked",
}
"""Event type -> kind of notice."""


def tell_partner(conn: Connection, event: Event[Any], desk: Desk) -> None:
    """Something is to be done, or was decided. What can no longer be done is not asked for."""
    kind, until, now = TO_PARTNER[event.type], event.data.until, app_now(conn)
    if kind in TO_DO and until is not None and until <= now:
        return
    draft = _draft(conn, event, kind, partner(event.data.partner_id), {})
    desk.tell(conn, [draft], now)


def tell_manager(conn: Connection, event: Event[Any], desk: Desk) -> None:
    """A partner wrote something that waits for staff."""
    kind, data = TO_MANAGER[event.type], event.data
    if data.manager_id is None:
        desk.nobody(kind, data.registration_id, "partner_manager")
        return
    names = directory.names(conn, data.plan_number, partners=[data.partner_id])
    further = {"partner": names.partner(data.partner_id)}
    draft = _draft(conn, event, kind, data.manager_id, further)
    desk.tell(conn, [draft], app_now(conn))


def _draft(
    conn: Connection, event: Event[Any], kind: str, recipient: str, further: dict[str, Any]
) -> Draft:
    data = event.data
    names = directory.names(conn, data.plan_number, lines=[data.product_line])
    return Draft(
        kind=kind,
        recipient=recipient,
        subject=data.registration_id,
        cause=str(event.id),
        facts={
            "account": data.account_name,
            "registration_id": data.registration_id,
            "claim_id": data.claim_id,
            "line": names.line(data.product_line),
            "at": format_instant(data.at),
            "until": None if data.until is None else format_instant(data.until),
            "text": data.text,
            **further,
        },
        correlation_id=event.correlationid,
    )

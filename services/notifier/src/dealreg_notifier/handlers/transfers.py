"""A transfer: both sides are asked, and told if it does not come about. Neither hears who the other is.

What has passed is told by the claims' own events.
"""

from typing import Any

from sqlalchemy import Connection

from dealreg_notifier import directory
from dealreg_notifier.notices import Desk, Draft, partner
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.contracts.transfer import TransferFact
from dealreg_shared.db import app_now


def transfer_opened(conn: Connection, event: Event[Any], desk: Desk) -> None:
    until = event.data.protected_until
    further = {
        "due_at": format_instant(event.data.due_at),
        "protected_until": None if until is None else format_instant(until),
    }
    _tell_both(conn, event, desk, "transfer", further)


def transfer_closed(conn: Connection, event: Event[Any], desk: Desk) -> None:
    if event.data.state != "done":
        _tell_both(conn, event, desk, "transfer_closed", {"state": event.data.state})


def _tell_both(
    conn: Connection, event: Event[Any], desk: Desk, kind: str, further: dict[str, Any]
) -> None:
    data: TransferFact = event.data
    names = directory.names(conn, data.plan_number, lines=data.product_lines)
    drafts = [
        Draft(
            kind=kind,
            recipient=partner(recipient),
            subject=data.transfer_id,
            cause=str(event.id),
            facts={
                "side": side,
                "account": data.account_name,
                "lines": [names.line(line) for line in data.product_lines],
                "transfer_id": data.transfer_id,
                **further,
            },
            correlation_id=event.correlationid,
        )
        for side, recipient in (("holder", data.partner_id), ("receiver", data.to_partner_id))
    ]
    desk.tell(conn, drafts, app_now(conn))

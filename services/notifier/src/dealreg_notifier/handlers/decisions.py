"""A registration was decided: tell its partner, and a named account's owner.

What a partner is told is its own: outcome, sentences that name no rival, protection. Places and the
trace stay with staff. Whom it is referred to is told by ``handlers.referrals``.
"""

from typing import Any

from sqlalchemy import Connection

from dealreg_notifier import directory
from dealreg_notifier.notices import Desk, Draft, partner
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.contracts.registration import ClaimDecided
from dealreg_shared.db import app_now

STANDING = frozenset({"protected", "contested", "open", "referred"})


def registration_filed(conn: Connection, event: Event[Any], desk: Desk) -> None:
    _decided(conn, event, desk, "filed", {"filed_by": event.data.filed_by})


def registration_received(conn: Connection, event: Event[Any], desk: Desk) -> None:
    """By a transfer: the registration is new, the protection is not."""
    _decided(conn, event, desk, "received", {})


def lines_added(conn: Connection, event: Event[Any], desk: Desk) -> None:
    _decided(conn, event, desk, "lines_added", {"filed_by": event.data.filed_by})


def registration_amended(conn: Connection, event: Event[Any], desk: Desk) -> None:
    """An edit that decides nothing is the editor's own affair: nobody is told."""
    data = event.data
    directory.put_filing(conn, data.registration_id, data.partner_id, data.account_name)
    if data.claims:
        _decided(conn, event, desk, "amended", {"changed": list(data.changed)})


def _decided(
    conn: Connection, event: Event[Any], desk: Desk, occasion: str, extra: dict[str, Any]
) -> None:
    data = event.data
    names = directory.names(
        conn,
        data.plan_number,
        lines=[claim.product_line for claim in data.claims],
        partners=[data.partner_id],
    )
    directory.put_filing(conn, data.registration_id, data.partner_id, data.account_name)
    drafts = [
        Draft(
            kind="decision",
            recipient=partner(data.partner_id),
            subject=data.registration_id,
            cause=str(event.id),
            facts={
                "occasion": occasion,
                "account": data.account_name,
                "registration_id": data.registration_id,
                "plan_number": data.plan_number,
                "claims": [claim_facts(claim, names) for claim in data.claims],
                **extra,
            },
            correlation_id=event.correlationid,
        )
    ]
    for claim in data.claims:
        if claim.referred_to is not None and claim.referred_to.id is None:
            desk.nobody("referral", data.registration_id, claim.referred_to.kind)
    drafts += _named_account(event, names)
    desk.tell(conn, drafts, app_now(conn))


def claim_facts(claim: ClaimDecided, names: directory.Names) -> dict[str, Any]:
    """What a partner is told of its own claim."""
    until = claim.protected_until
    return {
        "line": names.line(claim.product_line),
        "outcome": claim.outcome,
        "reasons": list(claim.reasons),
        "protected_until": None if until is None else format_instant(until),
    }


def _named_account(event: Event[Any], names: directory.Names) -> list[Draft]:
    data = event.data
    claims = [claim for claim in data.claims if claim.outcome in STANDING]
    if data.owner.kind != "co_sell" or data.owner.direct_id is None or not claims:
        return []
    return [
        Draft(
            kind="named_account",
            recipient=data.owner.direct_id,
            subject=data.registration_id,
            cause=str(event.id),
            facts={
                "account": data.account_name,
                "partner": names.partner(data.partner_id),
                "registration_id": data.registration_id,
                **names.market(data.market.region, data.market.segment),
                "lines": [names.line(claim.product_line) for claim in claims],
                "claims": [
                    {"line": names.line(claim.product_line), "outcome": claim.outcome}
                    for claim in claims
                ],
            },
            correlation_id=event.correlationid,
        )
    ]

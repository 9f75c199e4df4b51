"""Referrals: the target hears of the account and the lines, the referrer what became of its own claim.

Until the referrer consents, the target is not told who referred; the referrer is never told more than
that its referral was taken or not.
"""

from typing import Any

from sqlalchemy import Connection

from dealreg_notifier import directory, store
from dealreg_notifier.handlers.decisions import claim_facts
from dealreg_notifier.notices import Desk, Draft, partner
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.contracts.referral import ReferralFact
from dealreg_shared.contracts.registration import ReferralTarget
from dealreg_shared.db import app_now


def referral_offered(conn: Connection, event: Event[Any], desk: Desk) -> None:
    _to_target(
        conn,
        event,
        desk,
        "referral",
        {"offered": True, "due_at": format_instant(event.data.due_at)},
    )


def referral_consented(conn: Connection, event: Event[Any], desk: Desk) -> None:
    """The details can be read; they do not travel in a notice."""
    _to_target(conn, event, desk, "referral_details", {})


def referral_ended(conn: Connection, event: Event[Any], desk: Desk) -> None:
    _to_target(conn, event, desk, "referral_over", {"how": "ended"})


def referral_accepted(conn: Connection, event: Event[Any], desk: Desk) -> None:
    _to_referrer(conn, event, desk, "accepted", [], consented=event.data.consented)


def referral_returned(conn: Connection, event: Event[Any], desk: Desk) -> None:
    """Declined, or lapsed: then its target is told too that it is too late."""
    how = event.type.split(".")[2]
    names = directory.names(
        conn, event.data.plan_number, lines=[claim.product_line for claim in event.data.claims]
    )
    store.move_claims(conn, {claim.claim_id: claim.outcome for claim in event.data.claims})
    _to_referrer(conn, event, desk, how, [claim_facts(claim, names) for claim in event.data.claims])
    if how == "lapsed":
        _to_target(conn, event, desk, "referral_over", {"how": "lapsed"})


def _to_target(
    conn: Connection, event: Event[Any], desk: Desk, kind: str, further: dict[str, Any]
) -> None:
    data: ReferralFact = event.data
    if data.target.id is None:
        desk.nobody(kind, data.lines[0].referral_id, data.target.kind)
        return
    names = directory.names(
        conn, data.plan_number, lines=[line.product_line for line in data.lines]
    )
    draft = Draft(
        kind=kind,
        recipient=_recipient(data.target),
        subject=data.lines[0].referral_id,
        cause=str(event.id),
        facts={
            "to": data.target.kind,
            "account": data.account_name,
            "lines": [names.line(line.product_line) for line in data.lines],
            "referrals": [line.referral_id for line in data.lines],
            **further,
        },
        correlation_id=event.correlationid,
    )
    desk.tell(conn, [draft], app_now(conn))


def _recipient(target: ReferralTarget) -> str:
    if target.kind == "partner":
        return partner(str(target.id))
    return str(target.id)


def _to_referrer(
    conn: Connection,
    event: Event[Any],
    desk: Desk,
    how: str,
    claims: list[dict[str, Any]],
    **further: Any,
) -> None:
    data: ReferralFact = event.data
    names = directory.names(
        conn, data.plan_number, lines=[line.product_line for line in data.lines]
    )
    draft = Draft(
        kind="referral_answer",
        recipient=partner(data.partner_id),
        subject=data.registration_id,
        cause=str(event.id),
        facts={
            "how": how,
            "account": data.account_name,
            "registration_id": data.registration_id,
            "lines": [names.line(line.product_line) for line in data.lines],
            "claims": claims,
            **further,
        },
        correlation_id=event.correlationid,
    )
    desk.tell(conn, [draft], app_now(conn))

"""Keeps plans as far as notices need them, and tells each partner what a new plan changes for it."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from dealreg_notifier import directory
from dealreg_notifier.domain.plan_changes import changes, terms_by_partner
from dealreg_notifier.notices import Desk, Draft, partner
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.db import app_now


def plan_part(conn: Connection, event: Event[Any], _desk: Desk) -> None:
    data = event.data
    directory.put_part(conn, data.plan_number, data.part, data.section, list(data.items))


def plan_published(conn: Connection, event: Event[Any], desk: Desk) -> None:
    """All parts are here: compare with the plan before, partner by partner."""
    data = event.data
    sections = directory.sections(conn, data.plan_number)
    former = directory.former_plan(conn, data.plan_number)
    before = {} if former is None else terms_by_partner(directory.sections(conn, former))
    after = terms_by_partner(sections)
    directory.put_plan(conn, data.plan_number, data.in_force_from, data.published_at, sections)
    drafts = [
        Draft(
            kind="plan_changes",
            recipient=partner(partner_id),
            subject=f"plan:{data.plan_number}",
            cause=str(event.id),
            facts={
                "plan_number": data.plan_number,
                "in_force_from": format_instant(data.in_force_from),
                "changes": [asdict(change) for change in found],
            },
            correlation_id=event.correlationid,
        )
        for partner_id in sorted(before.keys() | after.keys())
        if (found := changes(before.get(partner_id), after.get(partner_id)))
    ]
    desk.tell(conn, drafts, app_now(conn))


def partner_status_changed(conn: Connection, event: Event[Any], desk: Desk) -> None:
    data = event.data
    draft = Draft(
        kind="partner_status",
        recipient=partner(data.partner_id),
        subject=data.partner_id,
        cause=str(event.id),
        facts={
            "status": data.status,
            "at": format_instant(data.at),
            "release_at": None if data.release_at is None else format_instant(data.release_at),
            "reason": data.reason,
        },
        correlation_id=event.correlationid,
    )
    desk.tell(conn, [draft], app_now(conn))

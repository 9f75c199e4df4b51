"""A case opens, grows and ends: clocks, the ladder's first and last notices, and word to the parties.

A party is told that a case is open on its own registration, in its own spelling of the account, and
nothing of any rival. Timers are locked before cases, as everywhere.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from dealreg_notifier import store
from dealreg_notifier.courses import deadlines_of
from dealreg_notifier.domain.ladder import settle
from dealreg_notifier.handlers import ladder
from dealreg_notifier.handlers.parties import LIVE, case_names, claim_spellings, party_drafts
from dealreg_notifier.notices import Desk, Draft
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.contracts.conflict import ConflictClaim
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.contracts.escalation import EscalationEnded
from dealreg_shared.db import app_now
from dealreg_shared.ladder import Course, Stamp
from dealreg_shared.outbox import Outgoing
from dealreg_shared.telemetry import get_logger

OPEN, CLOSED = "case_open", "case_closed"


def conflicts_opened(conn: Connection, events: Sequence[Event[Any]], desk: Desk) -> None:
    """Set the timers from the stamped deadlines, and tell whoever is responsible by now.

    Many at a time: a storm opens cases by the thousand, and each look-up serves them all.
    """
    claims = {
        event.data.conflict_id: _rows(
            event.data.conflict_id, event.data.claims, event.data.opened_at
        )
        for event in events
    }
    everything = [claim for own in claims.values() for claim in own]
    names = {
        number: case_names(conn, number, everything)
        for number in {event.data.plan_number for event in events}
    }
    spellings = claim_spellings(conn, everything)
    now = app_now(conn)
    cases = {event.data.conflict_id: _case(event) for event in events}
    store.put_cases(conn, [(cases[e.data.conflict_id], e.data.account_id) for e in events])
    store.put_case_claims(conn, everything)
    climbing = [case for case in cases.values() if case.course is not None]
    changes = {
        case.conflict_id: (case, change)
        for case, change in ladder.advance(conn, desk, climbing, now)
    }
    drafts: list[Draft] = []
    for event in events:
        data, own = event.data, claims[event.data.conflict_id]
        called = names[data.plan_number]
        opened = {"opened_at": format_instant(data.opened_at)}
        appeal = data.kind == "appeal"
        drafts += party_drafts(event, own, called, spellings, OPEN, opened, on_appeal=appeal)
        if data.conflict_id in changes:
            drafts += ladder.drafts(*changes[data.conflict_id], own, called, opening=True)
    desk.tell(conn, drafts, now)


def _case(event: Event[Any]) -> store.Case:
    """The case as it is before the first level was told."""
    data = event.data
    stamp = Stamp(data.generation, data.opened_at, deadlines_of(data.deadlines))
    return store.Case(
        conflict_id=data.conflict_id,
        kind=data.kind,
        account_name=data.account_name,
        region=data.market.region,
        segment=data.market.segment,
        plan_number=data.plan_number,
        opened_at=data.opened_at,
        course=Course((stamp,)) if stamp.deadlines else None,
        repeat_hours=data.repeat_hours,
        level=None,
        recorded=(),
        correlation_id=event.correlationid,
        suspect=_suspect(data),
    )


def _suspect(data: Any) -> dict[str, Any] | None:
    if data.other_account_id is None:
        return None
    return {
        "account": data.other_account_name or data.other_account_id,
        "keys": list(data.matched_by),
    }


def conflict_joined(conn: Connection, event: Event[Any], desk: Desk) -> None:
    """One more claim. The clocks go on; the case's row and timers are not touched."""
    data = event.data
    now = app_now(conn)
    claims = _rows(data.conflict_id, data.claims, data.joined_at)
    plan_number = store.case_plan(conn, data.conflict_id)
    names = case_names(conn, plan_number, claims)
    store.put_case_claims(conn, claims)
    joined = {"opened_at": format_instant(data.joined_at)}
    drafts = party_drafts(event, claims, names, claim_spellings(conn, claims), OPEN, joined)
    desk.tell(conn, drafts, now)


def conflict_closed(conn: Connection, event: Event[Any], desk: Desk) -> None:
    """Stop the clocks and judge by the instant of closing; who was told hears that it is settled."""
    data = event.data
    now = app_now(conn)
    store.void_timers(conn, data.conflict_id, data.closed_at, f"case {data.state}", now)
    case = next(iter(store.lock_cases(conn, [data.conflict_id])), None)
    if case is None:
        raise LookupError(f"conflict {data.conflict_id} closes, but was never opened")
    claims = store.case_claims(conn, [case.conflict_id]).get(case.conflict_id, [])
    names = case_names(conn, case.plan_number, claims)
    drafts: list[Draft] = []
    if case.ruling is None:  # else the parties have the ruling itself
        closing = {"closed_at": format_instant(data.closed_at), "state": data.state}
        # Whose claim had ended before is told no more: it would learn when a rival's did.
        concerned = [claim for claim in claims if claim["state"] in LIVE]
        spellings = claim_spellings(conn, concerned)
        drafts += party_drafts(event, concerned, names, spellings, CLOSED, closing)
    level = case.level
    if case.course is not None:
        course = replace(case.course, closed_at=data.closed_at)
        end = settle(course, case.recorded)
        level = end.level
        if level != data.level:
            get_logger(__name__).warning(
                "the closing names another level than the stamps",
                conflict_id=case.conflict_id,
                stamped=level,
                named=data.level,
            )
        ended = EscalationEnded(
            conflict_id=case.conflict_id,
            level=level,
            at=data.closed_at,
            breached_levels=tuple(rung.level for rung in end.breached),
        )
        desk.outbox.append(
            conn,
            [
                *[ladder.breach(case, rung, now) for rung in end.unrecorded],
                Outgoing(
                    type=ladder.ENDED,
                    key=case.conflict_id,
                    subject=case.conflict_id,
                    data=ended,
                    correlation_id=event.correlationid,
                    causation_id=str(event.id),
                ),
            ],
            now,
        )
        facts = {
            **ladder.case_facts(case, names),
            "lines": ladder.lines(claims, names),
            "closed_at": format_instant(data.closed_at),
            "state": data.state,
            "level": level,
            "role": next(r.role for r in course.stamps[-1].deadlines if r.level == level),
            "ruling": case.ruling,
            "overtaken": [ladder.rung_facts(rung) for rung in end.overtaken],
            "breached": [ladder.rung_facts(rung) for rung in end.breached],
        }
        drafts += [
            Draft(
                kind="case_settled",
                recipient=recipient,
                subject=case.conflict_id,
                cause=str(event.id),
                facts=facts,
                correlation_id=event.correlationid,
            )
            for recipient in store.told_of_case(conn, case.conflict_id, ladder.STAFF_KINDS)
        ]
    store.close_case(conn, case.conflict_id, level, data.closed_at, data.state)
    desk.tell(conn, drafts, now)


def _rows(
    conflict_id: str, claims: Sequence[ConflictClaim], joined_at: datetime
) -> list[dict[str, Any]]:
    return [
        {
            "conflict_id": conflict_id,
            "claim_id": claim.claim_id,
            "registration_id": claim.registration_id,
            "partner_id": claim.partner_id,
            "product_line": claim.product_line,
            "place": claim.place,
            "state": claim.state,
            "joined_at": joined_at,
        }
        for claim in claims
    ]

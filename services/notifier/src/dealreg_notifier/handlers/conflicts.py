"""A case opens, grows and ends: clocks, the ladder's first and last notices, and word to the parties.

A party is told that a case is open on its own registration, in its own spelling of the account, and
nothing of any rival. Timers are locked before cases, as everywhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from dealreg_notifier import directory, store
from dealreg_notifier.domain.ladder import Rung, climb, settle
from dealreg_notifier.handlers import ladder
from dealreg_notifier.notices import Desk, Draft, partner
from dealreg_notifier.tables import Fields
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.contracts.conflict import ConflictClaim
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.contracts.escalation import EscalationEnded
from dealreg_shared.db import app_now
from dealreg_shared.outbox import Outgoing
from dealreg_shared.telemetry import get_logger

OPEN, CLOSED = "case_open", "case_closed"

HOLDING = frozenset({"protected", "extended"})


def conflict_opened(conn: Connection, event: Event[Any], desk: Desk) -> None:
    """Set the timers from the stamped deadlines, and tell whoever is responsible by now."""
    data = event.data
    claims = _rows(data.conflict_id, data.claims, data.opened_at)
    names = _names(conn, data.plan_number, claims)
    case = store.Case(
        conflict_id=data.conflict_id,
        kind=data.kind,
        account_name=data.account_name,
        region=data.market.region,
        segment=data.market.segment,
        plan_number=data.plan_number,
        generation=data.generation,
        opened_at=data.opened_at,
        rungs=tuple(
            Rung(stamp.level, stamp.role, stamp.person_id, stamp.due_at)
            for stamp in sorted(data.deadlines, key=lambda stamp: int(stamp.level))
        ),
        level=None,
        correlation_id=event.correlationid,
        closed_at=None,
        closed_state=None,
    )
    now = app_now(conn)
    store.put_case(conn, case, data.account_id)
    store.put_case_claims(conn, claims)
    drafts = _parties(
        conn, event, claims, names, OPEN, {"opened_at": format_instant(data.opened_at)}
    )
    if case.rungs:
        unknown = directory.erased(conn, [rung.person_id for rung in case.rungs])
        change = climb(case.rungs, case.opened_at, None, now, unknown)
        store.put_deadlines(conn, case.conflict_id, case.generation, case.rungs, now)
        store.set_levels(conn, {case.conflict_id: change.level})
        drafts += ladder.drafts(case, change, claims, names, opening=True)
        desk.outbox.append(conn, ladder.events(case, change, now), now)
        ladder.show(desk, case, change)
    desk.tell(conn, drafts, now)


def conflict_joined(conn: Connection, event: Event[Any], desk: Desk) -> None:
    """One more claim. The clocks go on; the case's row and timers are not touched."""
    data = event.data
    now = app_now(conn)
    claims = _rows(data.conflict_id, data.claims, data.joined_at)
    plan_number = store.case_plan(conn, data.conflict_id)
    names = _names(conn, plan_number, claims)
    store.put_case_claims(conn, claims)
    drafts = _parties(
        conn, event, claims, names, OPEN, {"opened_at": format_instant(data.joined_at)}
    )
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
    names = _names(conn, case.plan_number, claims)
    drafts = _parties(
        conn,
        event,
        claims,
        names,
        CLOSED,
        {"closed_at": format_instant(data.closed_at), "state": data.state},
    )
    level = case.level
    if case.rungs and case.level is not None:
        end = settle(case.rungs, case.level, data.closed_at)
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
            **ladder.case_facts(case),
            "lines": ladder.lines(claims, names),
            "closed_at": format_instant(data.closed_at),
            "state": data.state,
            "level": level,
            "role": next(rung.role for rung in case.rungs if rung.level == level),
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
            for recipient in store.told_of_ladder(conn, case.conflict_id, ladder.KIND)
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


def _names(conn: Connection, plan_number: int, claims: Sequence[Fields]) -> directory.Names:
    return directory.names(
        conn,
        plan_number,
        lines=[claim["product_line"] for claim in claims],
        partners=[claim["partner_id"] for claim in claims],
    )


def _parties(
    conn: Connection,
    event: Event[Any],
    claims: Iterable[Fields],
    names: directory.Names,
    kind: str,
    facts: Mapping[str, Any],
) -> list[Draft]:
    """One notice per partner with a claim in the case, from its own claims alone."""
    by_partner: dict[str, list[Fields]] = {}
    for claim in claims:
        by_partner.setdefault(claim["partner_id"], []).append(claim)
    spellings = directory.spellings(
        conn, [claim["registration_id"] for own in by_partner.values() for claim in own]
    )
    drafts = []
    for partner_id, own in by_partner.items():
        registrations = list(dict.fromkeys(claim["registration_id"] for claim in own))
        drafts.append(
            Draft(
                kind=kind,
                recipient=partner(partner_id),
                subject=event.data.conflict_id,
                cause=str(event.id),
                facts={
                    **facts,
                    "conflict_id": event.data.conflict_id,
                    "account": spellings.get(registrations[0], "Your account"),
                    "registrations": registrations,
                    "lines": ladder.lines(own, names),
                    "holding": any(claim["state"] in HOLDING for claim in own),
                },
                correlation_id=event.correlationid,
            )
        )
    return drafts

"""What people do with an open case: take it, pass it up, ask, answer, comment, rule. Each is told on.

Timers are voided before the case's row is locked, as everywhere; what counts from then on stands in the
event. An actor gets no notice of its own act, except as the person of the level that must act next.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from dealreg_notifier import directory, store
from dealreg_notifier.courses import deadlines_of
from dealreg_notifier.domain.ladder import Climb, actor, known, paused, raised_by, resumed
from dealreg_notifier.handlers import ladder
from dealreg_notifier.handlers.parties import case_names, claim_spellings, party_drafts
from dealreg_notifier.notices import Desk, Draft, partner
from dealreg_notifier.store import Case
from dealreg_notifier.tables import Fields
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.db import app_now
from dealreg_shared.ladder import Deadline, Pause, Raise

NO_PERSON = ""
"""Who acted with a key that belongs to no person."""


def conflict_taken(conn: Connection, event: Event[Any], desk: Desk) -> None:
    """The levels below may comment now; the taken level's person hears if somebody else took it."""
    data, now = event.data, app_now(conn)
    case = _open_case(conn, event, now)
    if case.course is None:
        return
    step = Raise(data.level, data.taken_at, data.by or NO_PERSON, "taking")
    course = raised_by(case.course, step, data.generation, deadlines_of(data.deadlines))
    case, change = ladder.restamp(conn, desk, case, course, now)
    rungs = _known(conn, case)
    taken = next(rung for rung in rungs if rung.level == data.level)
    people = [r.person_id for r in rungs if r.level <= data.level and r.person_id != data.by]
    facts = {
        "taken": ladder.rung_facts(taken),
        "taken_at": format_instant(data.taken_at),
        "missed": [],
    }
    drafts = _drafts(conn, event, case, ladder.TAKEN, people, facts, change)
    desk.tell(conn, drafts, now)


def conflict_reviewed(conn: Connection, event: Event[Any], desk: Desk) -> None:
    """The next level's person must act now, and reads what the one below recommends."""
    data, now = event.data, app_now(conn)
    case = _open_case(conn, event, now)
    if case.course is None:
        return
    step = Raise(data.level, data.reviewed_at, data.by or NO_PERSON, "review")
    course = raised_by(case.course, step, data.generation, deadlines_of(data.deadlines))
    case, change = ladder.restamp(conn, desk, case, course, now)
    rungs = _known(conn, case)
    level = max(change.level, data.level)
    turn = next(rung for rung in rungs if rung.level == level)
    acting = actor(rungs, level)
    claims = _claims(conn, case)
    names = case_names(conn, case.plan_number, claims)
    facts = {
        "called": ladder.rung_facts(turn),
        "stands_in_for": turn.role if acting is not None and acting is not turn else None,
        "recommendation": data.recommendation,
        "recommended": [
            {
                "partner": names.partner(claim["partner_id"]),
                "line": names.line(claim["product_line"]),
            }
            for claim in claims
            if claim["claim_id"] in data.recommended
        ],
        "reviewed_at": format_instant(data.reviewed_at),
        "missed": [],
        **_late(now, data.reviewed_at),
    }
    people = [None if acting is None else acting.person_id]
    drafts = _drafts(conn, event, case, ladder.REVIEWED, people, facts, change)
    if acting is None:
        desk.nobody(ladder.REVIEWED, case.conflict_id, turn.role)
    desk.tell(conn, drafts, now)


def conflict_paused(conn: Connection, event: Event[Any], desk: Desk) -> None:
    """The clocks stand: who must act hears until when."""
    data, now = event.data, app_now(conn)
    case = _open_case(conn, event, now)
    if case.course is None:
        return
    pause = Pause(data.paused_at, data.until)
    course = paused(case.course, pause, data.generation, deadlines_of(data.deadlines))
    _clock(conn, event, desk, case, course, ladder.PAUSED, now, until=data.until)


def conflict_resumed(conn: Connection, event: Event[Any], desk: Desk) -> None:
    """The clocks run again: who must act hears of the new deadline."""
    data, now = event.data, app_now(conn)
    case = _open_case(conn, event, now)
    if case.course is None:
        return
    course = resumed(case.course, data.resumed_at, data.generation, deadlines_of(data.deadlines))
    _clock(conn, event, desk, case, course, ladder.RESUMED, now, how=data.how)


def conflict_commented(conn: Connection, event: Event[Any], desk: Desk) -> None:
    """Who must act hears that there is something to read. The text itself does not travel."""
    data, now = event.data, app_now(conn)
    case = _case(conn, data.conflict_id)
    if case.course is None or case.closed_at is not None or case.level is None:
        return
    acting = actor(_known(conn, case), case.level)
    if acting is None or acting.person_id == data.by:
        return
    facts = {"comment": data.kind, "at": format_instant(data.at)}
    quiet = Climb(case.level)
    drafts = _drafts(conn, event, case, ladder.COMMENTED, [acting.person_id], facts, quiet)
    desk.tell(conn, drafts, now)


def conflict_asked(conn: Connection, event: Event[Any], desk: Desk) -> None:
    """One party is asked something: its own notice, with the question."""
    data, now = event.data, app_now(conn)
    desk.tell(
        conn,
        [
            Draft(
                kind="case_asked",
                recipient=partner(data.partner_id),
                subject=data.conflict_id,
                cause=str(event.id),
                facts={
                    "conflict_id": data.conflict_id,
                    "account": data.account_name,
                    "registration_id": data.registration_id,
                    "question": data.question,
                    "due_at": format_instant(data.due_at),
                },
                correlation_id=event.correlationid,
            )
        ],
        now,
    )


def conflict_decided(conn: Connection, event: Event[Any], desk: Desk) -> None:
    """Each party hears what the ruling means for it, also who waited and was no part of the case. Staff
    hear at the closing, which follows."""
    data, now = event.data, app_now(conn)
    case = _case(conn, data.conflict_id)
    store.set_ruling(
        conn,
        case.conflict_id,
        {
            "ruling": data.ruling,
            "level": data.level,
            "breached": data.breached,
            "departs": len(data.departs),
        },
    )
    claims = [party.model_dump() for party in data.parties]
    names = case_names(conn, case.plan_number, claims)
    drafts = party_drafts(
        event,
        claims,
        names,
        claim_spellings(conn, claims),
        "case_decided",
        {"decided_at": format_instant(data.decided_at)},
        of_claim=lambda claim: {
            "line": names.line(claim["product_line"]),
            "sentence": claim["sentence"],
            "registration_id": claim["registration_id"],
            "appeals": claim["appeals"],
            "appeal_until": None
            if claim["appeal_until"] is None
            else format_instant(claim["appeal_until"]),
        },
    )
    desk.tell(conn, drafts, now)


def _open_case(conn: Connection, event: Event[Any], now: datetime) -> Case:
    """The case, locked, after the timers of its former stamps were voided."""
    data = event.data
    store.void_former(conn, data.conflict_id, data.generation, now)
    return _case(conn, data.conflict_id)


def _case(conn: Connection, conflict_id: str) -> Case:
    case = next(iter(store.lock_cases(conn, [conflict_id])), None)
    if case is None:
        raise LookupError(f"something happened to conflict {conflict_id}, which was never opened")
    return case


def _claims(conn: Connection, case: Case) -> list[Fields]:
    return list(store.case_claims(conn, [case.conflict_id]).get(case.conflict_id, []))


def _known(conn: Connection, case: Case) -> list[Deadline]:
    return known(ladder.ladder_of(case), directory.erased(conn, case.people))


def _clock(
    conn: Connection,
    event: Event[Any],
    desk: Desk,
    case: Case,
    course: Any,
    kind: str,
    now: datetime,
    **said: Any,
) -> None:
    case, change = ladder.restamp(conn, desk, case, course, now)
    rungs = _known(conn, case)
    acting = actor(rungs, change.level)
    facts = {
        "called": ladder.rung_facts(next(r for r in rungs if r.level == change.level)),
        **{
            name: format_instant(value) if isinstance(value, datetime) else value
            for name, value in said.items()
        },
    }
    people = [None if acting is None else acting.person_id]
    desk.tell(conn, _drafts(conn, event, case, kind, people, facts, change), now)


def _drafts(
    conn: Connection,
    event: Event[Any],
    case: Case,
    kind: str,
    people: list[str | None],
    facts: dict[str, Any],
    change: Climb,
) -> list[Draft]:
    """One notice for each of these people; who missed a deadline that nobody knew of yet, hears that
    in the same notice if there is one, else in a notice of its own."""
    claims = _claims(conn, case)
    names = case_names(conn, case.plan_number, claims)
    shared = {**ladder.case_facts(case, names), **ladder.claim_facts(claims, names), **facts}
    told = {told.person_id: told for told in change.told}
    found: list[Draft] = []
    for person in dict.fromkeys(who for who in people if who is not None):
        own = dict(shared)
        if "missed" in facts and person in told:
            own["missed"] = [ladder.rung_facts(rung) for rung in told[person].missed]
        found.append(
            Draft(
                kind=kind,
                recipient=person,
                subject=case.conflict_id,
                cause=str(event.id),
                facts=own,
                correlation_id=event.correlationid,
            )
        )
    mine = {draft.recipient for draft in found} if "missed" in facts else set()
    others = [
        draft
        for draft in ladder.drafts(case, change, claims, names)
        if draft.recipient not in mine and draft.recipient != getattr(event.data, "by", None)
    ]
    return found + others


def _late(now: datetime, since: datetime) -> dict[str, Any]:
    return {
        "late_seconds": max((now - since).total_seconds(), 0.0),
        "since": format_instant(since),
    }

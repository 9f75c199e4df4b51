"""From a change of level to its events and notices: shared by the opening of a case and its timers."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from dealreg_notifier.directory import Names
from dealreg_notifier.domain.ladder import Climb, Raised, Rung
from dealreg_notifier.notices import Desk, Draft
from dealreg_notifier.store import Case
from dealreg_notifier.tables import Fields
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.contracts.escalation import DeadlineBreached, EscalationRaised
from dealreg_shared.outbox import Outgoing
from dealreg_shared.telemetry import metrics

KIND = "ladder"

RAISED = "dealreg.escalation.raised.v1"
BREACHED = "dealreg.escalation.breached.v1"
ENDED = "dealreg.escalation.ended.v1"

_RAISED = metrics.counter(
    "dealreg_notifier_levels_raised", "Levels that became responsible for a conflict.", "level"
)
_UNASSIGNED = metrics.counter(
    "dealreg_notifier_levels_unassigned",
    "Levels that became responsible and have nobody.",
    "level",
)


def events(case: Case, change: Climb, now: datetime) -> list[Outgoing]:
    """Each missed deadline, then the level after it, from the lowest up."""
    breached = {rung.level: rung for rung in change.breached}
    raised = {step.rung.level: step for step in change.raised}
    found: list[Outgoing] = []
    for level in sorted(breached.keys() | raised.keys()):
        if level in raised:
            found.append(_raised(case, raised[level], now))
        if level in breached:
            found.append(breach(case, breached[level], now))
    return found


def breach(case: Case, rung: Rung, now: datetime) -> Outgoing:
    """A missed deadline, for the record."""
    if rung.due_at is None:
        raise ValueError(f"level {rung.level} has no deadline to miss")
    data = DeadlineBreached(
        conflict_id=case.conflict_id,
        level=rung.level,
        role=_role(rung),
        person_id=rung.person_id,
        due_at=rung.due_at,
        at=now,
    )
    return Outgoing(
        type=BREACHED,
        key=case.conflict_id,
        subject=case.conflict_id,
        data=data,
        correlation_id=case.correlation_id,
    )


def drafts(
    case: Case, change: Climb, claims: Sequence[Fields], names: Names, *, opening: bool
) -> list[Draft]:
    """One notice per person: what to do, what was missed, and how late this notice is."""
    turn = next((step for step in reversed(change.raised)), None)
    if turn is None:
        return []
    facts = {
        **case_facts(case),
        "opening": opening,
        "lines": lines(claims, names),
        "claims": [
            {
                "claim_id": claim["claim_id"],
                "partner": names.partner(claim["partner_id"]),
                "line": names.line(claim["product_line"]),
                "state": claim["state"],
            }
            for claim in claims
        ],
        "turn": rung_facts(turn.rung),
        "late_seconds": turn.late.total_seconds(),
        "since": format_instant(turn.since),
    }
    return [
        Draft(
            kind=KIND,
            recipient=told.person_id,
            subject=case.conflict_id,
            cause=f"{case.conflict_id}/{case.generation}/{change.level}",
            facts={
                **facts,
                "called": None if told.called is None else rung_facts(told.called),
                "stands_in_for": told.stands_in_for,
                "missed": [rung_facts(rung) for rung in told.missed],
                "passed": [rung_facts(rung) for rung in change.breached if rung not in told.missed],
            },
            correlation_id=case.correlation_id,
        )
        for told in change.told
    ]


def show(desk: Desk, case: Case, change: Climb) -> None:
    """Count what happened, and say where nobody could be told."""
    for step in change.raised:
        _RAISED.labels(str(step.rung.level)).inc()
    for rung in change.unassigned:
        _UNASSIGNED.labels(str(rung.level)).inc()
        desk.nobody(KIND, case.conflict_id, rung.role)


def case_facts(case: Case) -> dict[str, Any]:
    """What every notice to staff about a case says."""
    return {
        "account": case.account_name,
        "conflict_id": case.conflict_id,
        "case_kind": case.kind,
        "region": case.region,
        "segment": case.segment,
        "opened_at": format_instant(case.opened_at),
    }


def rung_facts(rung: Rung) -> dict[str, Any]:
    return {
        "level": rung.level,
        "role": rung.role,
        "known": rung.person_id is not None,
        "due_at": None if rung.due_at is None else format_instant(rung.due_at),
    }


def lines(claims: Iterable[Fields], names: Names) -> list[str]:
    """The product lines of these claims, each once."""
    return list(dict.fromkeys(names.line(claim["product_line"]) for claim in claims))


def _raised(case: Case, step: Raised, now: datetime) -> Outgoing:
    data = EscalationRaised(
        conflict_id=case.conflict_id,
        level=step.rung.level,
        role=_role(step.rung),
        person_id=step.rung.person_id,
        due_at=step.rung.due_at,
        at=now,
        late_seconds=step.late.total_seconds(),
    )
    return Outgoing(
        type=RAISED,
        key=case.conflict_id,
        subject=case.conflict_id,
        data=data,
        correlation_id=case.correlation_id,
    )


def _role(rung: Rung) -> Any:
    """The stamped role; the event's model refuses any other."""
    return rung.role

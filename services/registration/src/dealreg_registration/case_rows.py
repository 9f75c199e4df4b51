"""A case as a row, and back: its course, terms and further facts as plain JSON.

Must not decide anything, nor hold free text.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from dealreg_registration.domain.case import Asked, Case, Last
from dealreg_registration.domain.ladder_terms import terms_of, terms_row
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.db.types import parse_instant
from dealreg_shared.ladder import Course, Deadline, Pause, Raise, Stamp


def case_row(account_id: str, case: Case) -> dict[str, Any]:
    """All columns of a new case."""
    return case_changes(case) | {
        "id": case.id,
        "account_id": account_id,
        "kind": case.kind,
        "opened_at": case.opened_at,
        "terms": terms_row(case.terms, case.opened_at),
        "market_region": case.market_region,
        "market_segment": case.market_segment,
        "plan_number": case.plan_number,
        "other_account_id": case.other_account_id,
    }


def case_changes(case: Case) -> dict[str, Any]:
    """The columns that change in a case's life."""
    return {
        "state": case.state,
        "version": case.version,
        "course": _course_row(case.course),
        "details": _details_row(case),
        "closed_at": case.closed_at,
        "closed_level": case.closed_level,
    }


def case_from(row: Row[Any], claim_ids: Iterable[str]) -> Case:
    details = row.details
    last = details.get("last")
    return Case(
        id=row.id,
        kind=row.kind,
        state=row.state,
        opened_at=row.opened_at,
        course=course_from(row.course, row.closed_at),
        terms=terms_of(row.terms),
        market_region=row.market_region,
        market_segment=row.market_segment,
        plan_number=row.plan_number,
        claim_ids=tuple(claim_ids),
        other_account_id=row.other_account_id,
        closed_level=row.closed_level,
        version=row.version,
        appeal_of=details.get("appeal_of"),
        barred=tuple(details.get("barred", ())),
        claimed=details.get("claimed"),
        other_account_name=details.get("other_account"),
        matched_by=tuple(details.get("matched_by", ())),
        ruled_level=details.get("ruled_level"),
        ruled_by=details.get("ruled_by"),
        asked=tuple(_asked(entry) for entry in details.get("asked", ())),
        last=None if last is None else Last(last["what"], last["by"], parse_instant(last["at"])),
    )


def _details_row(case: Case) -> dict[str, Any]:
    details: dict[str, Any] = {
        "appeal_of": case.appeal_of,
        "barred": list(case.barred),
        "claimed": case.claimed,
        "other_account": case.other_account_name,
        "matched_by": list(case.matched_by),
        "ruled_level": case.ruled_level,
        "ruled_by": case.ruled_by,
        "asked": [
            {
                "entry": asked.entry_id,
                "registration": asked.registration_id,
                "partner": asked.partner_id,
                "at": format_instant(asked.asked_at),
                "due": format_instant(asked.due_at),
                "pauses": asked.pauses,
                "answered": _instant(asked.answered_at),
            }
            for asked in case.asked
        ],
        "last": None
        if case.last is None
        else {"what": case.last.what, "by": case.last.by, "at": format_instant(case.last.at)},
    }
    return {name: value for name, value in details.items() if value}


def asked_in(details: dict[str, Any], entry_id: str) -> Asked:
    """The question with this id, of a case's details."""
    return next(_asked(entry) for entry in details["asked"] if entry["entry"] == entry_id)


def _asked(entry: dict[str, Any]) -> Asked:
    return Asked(
        entry["entry"],
        entry["registration"],
        entry["partner"],
        parse_instant(entry["at"]),
        parse_instant(entry["due"]),
        entry["pauses"],
        _parsed(entry["answered"]),
    )


def _course_row(course: Course) -> dict[str, Any]:
    row: dict[str, Any] = {
        "stamps": [
            {
                "generation": stamp.generation,
                "at": format_instant(stamp.at),
                "deadlines": [
                    [
                        deadline.level,
                        deadline.role,
                        deadline.person_id,
                        _instant(deadline.due_at),
                        [format_instant(instant) for instant in deadline.remind_at],
                    ]
                    for deadline in stamp.deadlines
                ],
            }
            for stamp in course.stamps
        ]
    }
    if course.raises:
        row["raises"] = [
            [step.level, format_instant(step.at), step.by, step.how] for step in course.raises
        ]
    if course.pauses:
        row["pauses"] = [
            [format_instant(pause.start), _instant(pause.end)] for pause in course.pauses
        ]
    return row


def course_from(row: dict[str, Any], closed_at: datetime | None) -> Course:
    return Course(
        stamps=tuple(
            Stamp(
                stamp["generation"],
                parse_instant(stamp["at"]),
                tuple(
                    Deadline(
                        level,
                        role,
                        person,
                        _parsed(due),
                        tuple(parse_instant(instant) for instant in reminders),
                    )
                    for level, role, person, due, reminders in stamp["deadlines"]
                ),
            )
            for stamp in row["stamps"]
        ),
        raises=tuple(
            Raise(level, parse_instant(at), by, how) for level, at, by, how in row.get("raises", ())
        ),
        pauses=tuple(
            Pause(parse_instant(start), _parsed(end)) for start, end in row.get("pauses", ())
        ),
        closed_at=closed_at,
    )


def _instant(value: datetime | None) -> str | None:
    return None if value is None else format_instant(value)


def _parsed(value: str | None) -> datetime | None:
    return None if value is None else parse_instant(value)

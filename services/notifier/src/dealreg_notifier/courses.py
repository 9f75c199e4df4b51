"""A case's course as plain JSON, as its row keeps it, and back. Must not know what follows from it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dealreg_shared.contracts.base import format_instant
from dealreg_shared.ladder import Course, Deadline, Pause, Raise, Stamp


def course_row(course: Course) -> dict[str, Any]:
    """The course without its closing, which has a column of its own."""
    return {
        "stamps": [
            {
                "generation": stamp.generation,
                "at": format_instant(stamp.at),
                "deadlines": [_deadline_row(deadline) for deadline in stamp.deadlines],
            }
            for stamp in course.stamps
        ],
        "raises": [
            {"level": step.level, "at": format_instant(step.at), "by": step.by, "how": step.how}
            for step in course.raises
        ],
        "pauses": [
            {"start": format_instant(pause.start), "end": _text(pause.end)}
            for pause in course.pauses
        ],
    }


def course_of(row: Mapping[str, Any], closed_at: datetime | None) -> Course:
    """What ``course_row`` wrote, with the closing."""
    return Course(
        stamps=tuple(
            Stamp(
                stamp["generation"],
                datetime.fromisoformat(stamp["at"]),
                tuple(_deadline(item) for item in stamp["deadlines"]),
            )
            for stamp in row["stamps"]
        ),
        raises=tuple(
            Raise(step["level"], datetime.fromisoformat(step["at"]), step["by"], step["how"])
            for step in row["raises"]
        ),
        pauses=tuple(
            Pause(datetime.fromisoformat(pause["start"]), _instant(pause["end"]))
            for pause in row["pauses"]
        ),
        closed_at=closed_at,
    )


def deadlines_of(announced: Sequence[Any]) -> tuple[Deadline, ...]:
    """The deadlines of an event, in rising order of level."""
    return tuple(
        Deadline(item.level, item.role, item.person_id, item.due_at, tuple(item.remind_at))
        for item in sorted(announced, key=lambda item: int(item.level))
    )


def _deadline_row(deadline: Deadline) -> dict[str, Any]:
    return {
        "level": deadline.level,
        "role": deadline.role,
        "person_id": deadline.person_id,
        "due_at": _text(deadline.due_at),
        "remind_at": [format_instant(instant) for instant in deadline.remind_at],
    }


def _deadline(item: Mapping[str, Any]) -> Deadline:
    return Deadline(
        item["level"],
        item["role"],
        item["person_id"],
        _instant(item["due_at"]),
        tuple(datetime.fromisoformat(instant) for instant in item["remind_at"]),
    )


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else format_instant(instant)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)

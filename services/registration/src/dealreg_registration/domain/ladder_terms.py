"""What a plan says about the ladder's clocks, as decisions and stored cases see it.

A case keeps the terms that it opened under, so that a plan published meanwhile changes nothing for it.
Must not stamp anything: that is ``domain.stamps``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from dealreg_registration.domain.calendar import WALL_CLOCK, BusinessCalendar, Clock, Opening

HOUR = timedelta(hours=1)
KEPT = timedelta(days=1100)
"""For how long after its opening a case keeps the holidays that its plan knows of."""


@dataclass(frozen=True, slots=True)
class LevelTerms:
    """One level's time to act, and by which clock it runs. ``hours`` None: no deadline."""

    level: int
    role: str
    hours: timedelta | None
    clock: Clock = WALL_CLOCK


@dataclass(frozen=True, slots=True)
class LadderTerms:
    """The ladder as a plan sets it up; the defaults are the rule book's.

    ``reminders`` are per cent of a level's own window. ``repeat_hours`` None: the last level is told
    once. ``pause_limit`` is how long all pauses of a case may take together.
    ``manager_may_decide``: else level 1 only reviews and passes up.
    """

    levels: tuple[LevelTerms, ...] = (
        LevelTerms(1, "partner_manager", 4 * HOUR),
        LevelTerms(2, "vp", 24 * HOUR),
        LevelTerms(3, "ceo", None),
    )
    reminders: tuple[int, ...] = (50, 80)
    vp_clock_from: Literal["opening", "review"] = "opening"
    repeat_hours: int | None = 24
    pause_for_information: bool = False
    pause_limit: timedelta = 48 * HOUR
    manager_may_decide: bool = True

    def of(self, level: int) -> LevelTerms:
        """The terms of a level; one above the ladder, a reviewer's, has no deadline."""
        for terms in self.levels:
            if terms.level == level:
                return terms
        return LevelTerms(level, "reviewer", None)


def terms_row(terms: LadderTerms, opened_at: datetime) -> dict[str, Any]:
    """The terms as a case stores them: plain JSON, with the holidays that a case can live to see."""
    return {
        "levels": [
            {
                "level": level.level,
                "role": level.role,
                "hours": None if level.hours is None else level.hours // HOUR,
                "clock": _clock_row(level.clock, opened_at),
            }
            for level in terms.levels
        ],
        "reminders": list(terms.reminders),
        "vp_clock_from": terms.vp_clock_from,
        "repeat_hours": terms.repeat_hours,
        "pause_for_information": terms.pause_for_information,
        "pause_limit_hours": terms.pause_limit // HOUR,
        "manager_may_decide": terms.manager_may_decide,
    }


def terms_of(row: Mapping[str, Any]) -> LadderTerms:
    """What ``terms_row`` stored."""
    return LadderTerms(
        levels=tuple(
            LevelTerms(
                level["level"],
                level["role"],
                None if level["hours"] is None else level["hours"] * HOUR,
                _clock(level["clock"]),
            )
            for level in row["levels"]
        ),
        reminders=tuple(row["reminders"]),
        vp_clock_from=row["vp_clock_from"],
        repeat_hours=row["repeat_hours"],
        pause_for_information=row["pause_for_information"],
        pause_limit=row["pause_limit_hours"] * HOUR,
        manager_may_decide=row.get("manager_may_decide", True),
    )


def kept_with_case(terms: LadderTerms, opened_at: datetime) -> LadderTerms:
    """The terms as they will be read back, so that a case stamps the same before and after storing."""
    return replace(
        terms,
        levels=tuple(
            replace(level, clock=_clock(_clock_row(level.clock, opened_at)))
            for level in terms.levels
        ),
    )


def _clock_row(clock: Clock, opened_at: datetime) -> dict[str, Any] | None:
    if not isinstance(clock, BusinessCalendar):
        return None
    first, last = (opened_at - timedelta(days=7)).date(), (opened_at + KEPT).date()
    return {
        "zone": clock.zone.key,
        "week": [
            [[f"{opening.start:%H:%M}", f"{opening.end:%H:%M}"] for opening in day]
            for day in clock.week
        ],
        "holidays": sorted(day.isoformat() for day in clock.holidays if first <= day <= last),
    }


def _clock(row: Mapping[str, Any] | None) -> Clock:
    if row is None:
        return WALL_CLOCK
    return BusinessCalendar(
        ZoneInfo(row["zone"]),
        tuple(
            tuple(Opening(time.fromisoformat(start), time.fromisoformat(end)) for start, end in day)
            for day in row["week"]
        ),
        frozenset(date.fromisoformat(day) for day in row["holidays"]),
    )

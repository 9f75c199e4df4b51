"""Who must act on a case at an instant: one pure function for everybody who asks.

Registration stamps, rules and shows by it; notifier tells people by it. The level follows from what was
stamped and from what happened, never from a job having run (docs/rules.md, section 4). Standard library
only, so that domains may use it. Must not read a clock, nor know plans, calendars or people.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

FIRST_LEVEL = 1


@dataclass(frozen=True, slots=True)
class Deadline:
    """A level and until when it must act; the last level has no ``due_at``.

    ``remind_at`` are the instants at which its person is reminded before that, in rising order.
    """

    level: int
    role: str
    person_id: str | None
    due_at: datetime | None
    remind_at: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Stamp:
    """The deadlines that count from ``at`` on, in rising order of level.

    The first generation is stamped when the case opens. A review, a taking and the end of a pause stamp
    anew; a level whose time has run out keeps its former deadline, so that no level is ever gained back.
    """

    generation: int
    at: datetime
    deadlines: tuple[Deadline, ...]


@dataclass(frozen=True, slots=True)
class Raise:
    """A person put the case on ``level`` at least: passed it up to it, or took it on it."""

    level: int
    at: datetime
    by: str
    how: str
    """``review`` or ``taking``."""


@dataclass(frozen=True, slots=True)
class Pause:
    """The clock stands in [start, end); ``end`` None: until somebody says so."""

    start: datetime
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """What the level of a case depends on. ``stamps`` by rising generation, not empty."""

    stamps: tuple[Stamp, ...]
    raises: tuple[Raise, ...] = ()
    pauses: tuple[Pause, ...] = ()
    closed_at: datetime | None = None

    def stamp_at(self, instant: datetime) -> Stamp:
        """The stamp that counts at an instant; the first one before it was made."""
        found = self.stamps[0]
        for stamp in self.stamps[1:]:
            if stamp.at <= instant:
                found = stamp
        return found

    def paused(self, instant: datetime) -> Pause | None:
        """The pause that an instant lies in."""
        for pause in self.pauses:
            if pause.start <= instant and (pause.end is None or instant < pause.end):
                return pause
        return None


def level_at(course: Course, now: datetime) -> int:
    """The level responsible at ``now``; after the closing, the one at that instant.

    A level's time is half open: at exactly its deadline the next one is responsible. A pause holds the
    deadlines back, but not a person who passes the case up or takes it meanwhile.
    """
    instant = now if course.closed_at is None else min(now, course.closed_at)
    pause = course.paused(instant)
    running = instant if pause is None else pause.start
    by_time = _by_deadlines(course.stamp_at(running).deadlines, running)
    return max([by_time, *(step.level for step in course.raises if step.at <= instant)])


def taken_above(course: Course, level: int, now: datetime) -> bool:
    """Whether a higher level has taken the case: then ``level`` may comment, and no longer decide."""
    return any(
        step.how == "taking" and step.level > level and step.at <= now for step in course.raises
    )


def passed_up(course: Course, level: int, now: datetime) -> bool:
    """Whether ``level`` has reviewed the case and handed it on."""
    return any(
        step.how == "review" and step.level == level + 1 and step.at <= now
        for step in course.raises
    )


def missed(course: Course, now: datetime) -> tuple[Deadline, ...]:
    """The deadlines that ran out while nobody above had the case, by ``now`` or by the closing.

    Who decides or passes up at the very instant of the deadline has missed it.
    """
    instant = now if course.closed_at is None else min(now, course.closed_at)
    found: dict[int, Deadline] = {}
    for index, stamp in enumerate(course.stamps):
        following = course.stamps[index + 1 : index + 2]
        for deadline in stamp.deadlines[:-1]:
            due = deadline.due_at
            if due is None or due > instant or any(later.at < due for later in following):
                continue
            pause = course.paused(due)
            held = pause is not None and pause.start < due
            raised = any(step.level > deadline.level and step.at < due for step in course.raises)
            if not held and not raised:
                found.setdefault(deadline.level, deadline)
    return tuple(found[level] for level in sorted(found))


def reached_at(course: Course, level: int) -> datetime:
    """When ``level`` becomes responsible, as the course stands. Its first level: when it was stamped."""
    instants = {stamp.at for stamp in course.stamps} | {step.at for step in course.raises}
    for stamp in course.stamps:
        instants.update(deadline.due_at for deadline in stamp.deadlines if deadline.due_at)
    open_course = replace(course, closed_at=None)
    return next(instant for instant in sorted(instants) if level_at(open_course, instant) >= level)


def _by_deadlines(deadlines: Sequence[Deadline], instant: datetime) -> int:
    for deadline in deadlines[:-1]:
        if deadline.due_at is None or instant < deadline.due_at:
            return deadline.level
    return deadlines[-1].level

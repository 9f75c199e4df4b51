"""How a conflict climbs: who must hear of a change, and what is due next.

The level at an instant is ``dealreg_shared.ladder``'s: a pure function of stamps, pauses, reviews and
takings. Nobody has to write it down for it to be true; here is only what follows from it for people.
Must not read a clock, nor decide a case.
"""

from collections.abc import Collection, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dealreg_shared.ladder import (
    Course,
    Deadline,
    Pause,
    Raise,
    Stamp,
    level_at,
    missed,
    reached_at,
)

Rungs = Sequence[Deadline]


@dataclass(frozen=True, slots=True)
class Raised:
    """A level became responsible at ``since``; ``late`` is how long after that it is being told."""

    rung: Deadline
    since: datetime
    late: timedelta


@dataclass(frozen=True, slots=True)
class Told:
    """One person's one notice of a change: called to act, told of a missed deadline, or both.

    ``called`` is the level whose turn it is, when the person is to act on it; ``stands_in_for`` is that
    level's role when nobody is known for it and this is the next one above.
    """

    person_id: str
    called: Deadline | None
    stands_in_for: str | None
    missed: tuple[Deadline, ...]


@dataclass(frozen=True, slots=True)
class Climb:
    """A change of level: what to record and whom to tell. Nothing is raised if it did not change."""

    level: int
    raised: tuple[Raised, ...] = ()
    breached: tuple[Deadline, ...] = ()
    told: tuple[Told, ...] = ()

    @property
    def unassigned(self) -> tuple[Deadline, ...]:
        """Levels that became responsible and have nobody."""
        return tuple(raised.rung for raised in self.raised if raised.rung.person_id is None)


def climb(
    course: Course,
    former: int | None,
    recorded: Collection[int],
    now: datetime,
    unknown: Set[str] = frozenset(),
) -> Climb:
    """From the level that was told last (None: nobody yet) to the level at ``now``.

    Word of a pause may come after its case has climbed: then the level is lower than told, and nobody is
    called until it rises again.

    Several levels may be passed at once, when nobody was there to see the time run out: each is raised,
    and each person gets one notice. ``recorded`` are the levels whose missed deadline is on record
    already, ``unknown`` are person ids that can no longer be told anything (erased).
    """
    level = level_at(course, now)
    rungs = known(course, unknown)
    reached = [
        rung for rung in rungs if rung.level <= level and (former is None or rung.level > former)
    ]
    raised = tuple(
        Raised(rung, since, max(now - since, timedelta()))
        for rung in reached
        for since in [reached_at(course, rung.level)]
    )
    breached = tuple(
        _without(rung, unknown) for rung in missed(course, now) if rung.level not in recorded
    )
    if not raised and not breached:
        return Climb(level)
    called = level if raised else None
    return Climb(level, raised, breached, _notices(rungs, called, breached))


def known(course: Course, unknown: Set[str] = frozenset()) -> list[Deadline]:
    """The newest deadlines, without the people who can no longer be told anything."""
    return [_without(rung, unknown) for rung in latest(course).deadlines]


def latest(course: Course) -> Stamp:
    """The newest stamp. That of a pause counts from the pause's end only, but tells what will be."""
    return course.stamps[-1]


def actor(rungs: Rungs, level: int) -> Deadline | None:
    """Who acts on a level: its person, else the next known one above."""
    return next((rung for rung in rungs if rung.level >= level and rung.person_id), None)


def _without(rung: Deadline, unknown: Set[str]) -> Deadline:
    return replace(rung, person_id=None) if rung.person_id in unknown else rung


def _notices(rungs: Rungs, level: int | None, breached: Rungs) -> tuple[Told, ...]:
    people = [rung.person_id for rung in breached if rung.person_id]
    acting = turn = None
    if level is not None:
        turn = next(rung for rung in rungs if rung.level == level)
        acting = actor(rungs, level)
        if acting is not None and acting.person_id:
            people.append(acting.person_id)
    found: list[Told] = []
    for person in dict.fromkeys(people):
        mine = turn if acting is not None and acting.person_id == person else None
        found.append(
            Told(
                person_id=person,
                called=mine,
                stands_in_for=mine.role if mine is not None and mine.person_id is None else None,
                missed=tuple(rung for rung in breached if rung.person_id == person),
            )
        )
    return tuple(found)


def restamped(course: Course, made: Stamp, since: datetime) -> Course:
    """A change at ``since`` stamped the case anew; stamps for later, of a pause, are void.

    An event of a generation that is known already changes nothing.
    """
    if made.generation <= course.stamps[-1].generation:
        return course
    kept = tuple(stamp for stamp in course.stamps if stamp.at <= since)
    return replace(course, stamps=(*kept, made))


def raised_by(
    course: Course, step: Raise, generation: int, deadlines: tuple[Deadline, ...]
) -> Course:
    """A person passed the case up, or took it. During a pause the new deadlines count from its end."""
    pause = course.paused(step.at)
    counts_from = step.at if pause is None or pause.end is None else pause.end
    after = replace(course, raises=(*course.raises, step))
    return restamped(after, Stamp(generation, counts_from, deadlines), step.at)


def paused(
    course: Course, pause: Pause, generation: int, deadlines: tuple[Deadline, ...]
) -> Course:
    """The clocks stand; the deadlines count from the end of the pause, if nobody ends it before."""
    after = replace(course, pauses=(*course.pauses, pause))
    return restamped(after, Stamp(generation, pause.end or pause.start, deadlines), pause.start)


def resumed(
    course: Course, at: datetime, generation: int, deadlines: tuple[Deadline, ...]
) -> Course:
    """The clocks run again, earlier than the pause was to last or just then."""
    pauses = tuple(
        replace(pause, end=at)
        if pause.start <= at and (pause.end is None or at < pause.end)
        else pause
        for pause in course.pauses
    )
    after = replace(course, pauses=pauses)
    return restamped(after, Stamp(generation, at, deadlines), at)


@dataclass(frozen=True, slots=True)
class Settlement:
    """How the ladder ended, judged by the instant of closing, not by what was told until then.

    ``unrecorded`` are missed levels that no breach was recorded for yet; ``overtaken`` are levels that
    were recorded as missed although the case had been settled, or passed up, in time.
    """

    level: int
    breached: tuple[Deadline, ...]
    unrecorded: tuple[Deadline, ...]
    overtaken: tuple[Deadline, ...]


def settle(course: Course, recorded: Collection[int]) -> Settlement:
    """The end of a closed case. ``recorded`` are the levels with a missed deadline on record."""
    closed_at = course.closed_at
    if closed_at is None:
        raise ValueError("the case is not closed")
    breached = missed(course, closed_at)
    true = {rung.level for rung in breached}
    return Settlement(
        level=level_at(course, closed_at),
        breached=breached,
        unrecorded=tuple(rung for rung in breached if rung.level not in recorded),
        overtaken=tuple(
            rung for rung in course.stamps[-1].deadlines if rung.level in set(recorded) - true
        ),
    )


@dataclass(frozen=True, slots=True)
class TimerDue:
    """Something that time will make due. ``step`` is unique per kind and generation."""

    kind: str
    step: int
    due_at: datetime


DEADLINE, REMINDER, REPEAT = "deadline", "reminder", "repeat"
STEPS_PER_LEVEL = 100


def timers(course: Course, level: int) -> list[TimerDue]:
    """Deadlines and reminders of the newest stamp, of ``level`` and those above it."""
    found: list[TimerDue] = []
    for rung in latest(course).deadlines[:-1]:
        if rung.level < level or rung.due_at is None:
            continue
        found.append(TimerDue(DEADLINE, rung.level, rung.due_at))
        found += [
            TimerDue(REMINDER, rung.level * STEPS_PER_LEVEL + index, instant)
            for index, instant in enumerate(rung.remind_at)
        ]
    return found


def next_repeat(
    course: Course, level: int, every: timedelta | None, now: datetime
) -> TimerDue | None:
    """When the last level is reminded next, counting from its turn; None on another level.

    Reminders that were missed while nobody ticked are not made up for.
    """
    last = latest(course).deadlines[-1]
    if every is None or level != last.level:
        return None
    base = max(reached_at(course, level), latest(course).at)
    step = max((now - base) // every, 0) + 1
    return TimerDue(REPEAT, step, base + step * every)


def reminded(course: Course, step: int, now: datetime) -> Deadline | None:
    """Whom a reminder's timer concerns: nobody once the level's turn is over, or while clocks stand."""
    level = step // STEPS_PER_LEVEL
    if course.paused(now) is not None or level_at(course, now) != level:
        return None
    return next((rung for rung in latest(course).deadlines if rung.level == level), None)

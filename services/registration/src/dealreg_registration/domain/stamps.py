"""Stamps the ladder's deadlines and reminders: on opening, on passing up or taking, around a pause.

A stamp is all that anybody needs to know who must act at an instant (``dealreg_shared.ladder``). Every
step answers with a new course, whose last stamp is the one to announce. Must not read a clock, nor look
at a plan after the case has opened: the case's own terms decide from then on.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from dealreg_registration.domain.ladder_terms import LadderTerms, LevelTerms
from dealreg_registration.domain.plan import Plan
from dealreg_shared.ladder import (
    FIRST_LEVEL,
    Course,
    Deadline,
    Pause,
    Raise,
    Stamp,
    level_at,
)


def stamp(
    plan: Plan, at: datetime, region: str | None, segment: str | None, first: int = FIRST_LEVEL
) -> Stamp:
    """The stamp of a case that opens at ``at`` on the level ``first``, as an appeal may.

    A level's hours count from the opening, or the VP's from when the case reaches it (policy). No level
    is due before the one below it.
    """
    people = {1: plan.ladder.manager(region, segment), 2: plan.ladder.vp, 3: plan.ladder.ceo}
    terms = plan.ladder_terms
    found: list[Deadline] = []
    since = at
    for level in terms.levels:
        if level.level < first:
            continue
        start = since if _from_reaching(terms, level) else at
        due = None if level.hours is None else max(level.clock.add(start, level.hours), since)
        blank = Deadline(level.level, level.role, people.get(level.level), due)
        found.append(_with_reminders(terms, blank, since))
        since = since if due is None else due
    return Stamp(1, at, tuple(found))


def raised(terms: LadderTerms, course: Course, step: Raise) -> Course:
    """A person passed the case up, or took it on a level.

    Where that raises the level, it is stamped anew: the level's reminders count from now on, and its
    deadline too if the plan says that the VP's clock starts then. Else nothing moves but the record.
    """
    before = level_at(course, step.at)
    after = replace(course, raises=(*course.raises, step))
    if step.level <= before:
        return after
    last = course.stamps[-1]
    pause = course.paused(step.at)
    if pause is None:
        moved = _reached(terms, last.deadlines, step.level, step.at)
        return _stamped(after, Stamp(last.generation + 1, step.at, moved))
    return _paused(terms, after, pause, last.generation + 1)


def pause_end(
    terms: LadderTerms, course: Course, at: datetime, wanted: datetime
) -> datetime | None:
    """Until when the clocks may stand from ``at`` on, if ``wanted`` for so long; None: not at all.

    All pauses of a case together take no longer than the plan's limit.
    """
    taken = sum((_length(pause, at) for pause in course.pauses), timedelta())
    end = min(wanted, at + terms.pause_limit - taken)
    return end if terms.pause_for_information and end > at else None


def paused(terms: LadderTerms, course: Course, at: datetime, until: datetime) -> Course:
    """The clocks stand in [at, until). What counts from ``until`` on is stamped already.

    So the level is right afterwards even if nobody was there to end the pause. Raises ValueError if the
    clocks stand already or ``until`` is not after ``at``.
    """
    if course.paused(at) is not None or until <= at:
        raise ValueError("a pause begins while the clocks run, and takes some time")
    pause = Pause(at, until)
    after = replace(course, pauses=(*course.pauses, pause))
    return _paused(terms, after, pause, course.stamps[-1].generation + 1)


def resumed(terms: LadderTerms, course: Course, at: datetime) -> Course:
    """The clocks run again from ``at`` on. A pause that is over has its stamp: nothing changes then."""
    pause = course.paused(at)
    if pause is None:
        return course
    shorter = Pause(pause.start, at)
    after = replace(course, pauses=(*course.pauses[:-1], shorter))
    return _paused(terms, after, shorter, course.stamps[-1].generation + 1)


def _paused(terms: LadderTerms, course: Course, pause: Pause, generation: int) -> Course:
    """The stamp for the end of a pause: the time that each level had left, and raises meanwhile."""
    if pause.end is None:
        raise ValueError("a pause has an end")
    kept = tuple(stamp for stamp in course.stamps if stamp.at <= pause.start)
    before = level_at(replace(course, raises=_until(course.raises, pause.start)), pause.start)
    shifted: list[Deadline] = []
    for deadline in kept[-1].deadlines:
        if deadline.level >= before:
            deadline = _shifted(terms, deadline, pause)
        below = shifted[-1].due_at if shifted else None
        if deadline.due_at is not None and below is not None:
            deadline = replace(deadline, due_at=max(deadline.due_at, below))
        shifted.append(deadline)
    deadlines = tuple(shifted)
    level = max((step.level for step in course.raises if step.at > pause.start), default=before)
    if level > before:
        deadlines = _reached(terms, deadlines, level, pause.end)
    return replace(course, stamps=(*kept, Stamp(generation, pause.end, deadlines)))


def _until(raises: tuple[Raise, ...], instant: datetime) -> tuple[Raise, ...]:
    return tuple(step for step in raises if step.at <= instant)


def _stamped(course: Course, last: Stamp) -> Course:
    return replace(course, stamps=(*course.stamps, last))


def _shifted(terms: LadderTerms, deadline: Deadline, pause: Pause) -> Deadline:
    """What was still to come when the clocks stopped comes as much later as they stood."""
    start, end = pause.start, pause.end or pause.start
    clock = terms.of(deadline.level).clock

    def later(instant: datetime) -> datetime:
        return instant if instant <= start else clock.add(end, clock.between(start, instant))

    return replace(
        deadline,
        due_at=None if deadline.due_at is None else later(deadline.due_at),
        remind_at=tuple(later(instant) for instant in deadline.remind_at),
    )


def _reached(
    terms: LadderTerms, deadlines: tuple[Deadline, ...], level: int, at: datetime
) -> tuple[Deadline, ...]:
    """The deadlines once the case has come to ``level`` at ``at``, before its time."""
    found: list[Deadline] = []
    since = at
    for deadline in deadlines:
        if deadline.level < level:
            found.append(deadline)
            continue
        own, due = terms.of(deadline.level), deadline.due_at
        if due is not None and own.hours is not None and _from_reaching(terms, own):
            below = found[-1].due_at if found else None
            due = max(own.clock.add(at, own.hours), below or at)
        moved = replace(deadline, due_at=due)
        if deadline.level == level or due != deadline.due_at:
            moved = _with_reminders(terms, moved, since)
        found.append(moved)
        since = since if due is None else due
    return tuple(found)


def _from_reaching(terms: LadderTerms, level: LevelTerms) -> bool:
    return terms.vp_clock_from == "review" and level.role == "vp"


def _with_reminders(terms: LadderTerms, deadline: Deadline, since: datetime) -> Deadline:
    """At shares of the level's own window, from its being responsible to its deadline."""
    if deadline.due_at is None or deadline.due_at <= since:
        return replace(deadline, remind_at=())
    clock = terms.of(deadline.level).clock
    window = clock.between(since, deadline.due_at)
    instants = (clock.add(since, window * share // 100) for share in terms.reminders)
    return replace(deadline, remind_at=tuple(instant for instant in instants if instant > since))


def _length(pause: Pause, at: datetime) -> timedelta:
    return (at if pause.end is None else min(pause.end, at)) - pause.start

"""How a conflict climbs: the level at an instant, and who must hear of a change.

All of it is a pure function of what was stamped when the case opened, of the case's history and of an
instant: nobody has to write a level down for it to be true. Must not read a clock, nor decide a case.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Rung:
    """One level as stamped at opening. ``due_at`` None: no deadline. The last rung's is not read."""

    level: int
    role: str
    person_id: str | None
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class History:
    """What happened to a case after it opened, as far as it moves the level."""

    closed_at: datetime | None = None


OPEN = History()


def level_at(stamps: Sequence[Rung], now: datetime, history: History = OPEN) -> int:
    """The level that is responsible at ``now``; the closing instant's level from then on.

    A level's time is half open: at the very instant of its deadline the next one is responsible.
    ``stamps`` are in rising order of level and not empty; later deadlines are never earlier.
    """
    instant = now if history.closed_at is None else min(now, history.closed_at)
    for rung in stamps[:-1]:
        if rung.due_at is None or instant < rung.due_at:
            return rung.level
    return stamps[-1].level


def responsible_since(stamps: Sequence[Rung], opened_at: datetime, level: int) -> datetime:
    """When ``level`` became responsible: the deadline before it, or the opening for the first."""
    below = [rung.due_at for rung in stamps if rung.level < level and rung.due_at is not None]
    return max([opened_at, *below])


@dataclass(frozen=True, slots=True)
class Raised:
    """A level became responsible at ``since``; ``late`` is how long after that it is being told."""

    rung: Rung
    since: datetime
    late: timedelta


@dataclass(frozen=True, slots=True)
class Told:
    """One person's one notice of a change: called to act, told of a missed deadline, or both.

    ``called`` is the level whose turn it is, when the person is to act on it; ``stands_in_for`` is that
    level's role when nobody is known for it and this is the next one above.
    """

    person_id: str
    called: Rung | None
    stands_in_for: str | None
    missed: tuple[Rung, ...]


@dataclass(frozen=True, slots=True)
class Climb:
    """A change of level: what to record and whom to tell. Empty when the level did not change."""

    level: int
    raised: tuple[Raised, ...] = ()
    breached: tuple[Rung, ...] = ()
    told: tuple[Told, ...] = ()

    @property
    def unassigned(self) -> tuple[Rung, ...]:
        """Levels that became responsible and have nobody."""
        return tuple(raised.rung for raised in self.raised if raised.rung.person_id is None)


def climb(
    stamps: Sequence[Rung],
    opened_at: datetime,
    former: int | None,
    now: datetime,
    unknown: Set[str] = frozenset(),
) -> Climb:
    """From the level that was told last (None: nobody yet) to the level at ``now``.

    Several levels may be passed at once, when nobody was there to see the time run out: each is raised
    and breached, and each person gets one notice. ``unknown`` are person ids that can no longer be
    told anything (erased).
    """
    level = level_at(stamps, now)
    if former is not None and level <= former:
        return Climb(former)
    known = [
        Rung(rung.level, rung.role, None, rung.due_at) if rung.person_id in unknown else rung
        for rung in stamps
    ]
    reached = [
        rung for rung in known if rung.level <= level and (former is None or rung.level > former)
    ]
    raised = tuple(
        Raised(rung, since, max(now - since, timedelta()))
        for rung in reached
        for since in [responsible_since(stamps, opened_at, rung.level)]
    )
    missed = [
        rung for rung in known if rung.level < level and (former is None or rung.level >= former)
    ]
    return Climb(level, raised, tuple(missed), _notices(known, level, missed))


def _notices(known: Sequence[Rung], level: int, missed: Sequence[Rung]) -> tuple[Told, ...]:
    turn = next(rung for rung in known if rung.level == level)
    actor = next((rung for rung in known if rung.level >= level and rung.person_id), None)
    people = [rung.person_id for rung in missed if rung.person_id]
    if actor is not None and actor.person_id:
        people.append(actor.person_id)
    return tuple(
        Told(
            person_id=person,
            called=turn if actor is not None and actor.person_id == person else None,
            stands_in_for=(
                turn.role
                if actor is not None and actor.person_id == person and turn.person_id is None
                else None
            ),
            missed=tuple(rung for rung in missed if rung.person_id == person),
        )
        for person in dict.fromkeys(people)
    )


@dataclass(frozen=True, slots=True)
class Settlement:
    """How the ladder ended, judged by the instant of closing, not by what was told until then.

    ``unrecorded`` are missed levels that no breach was recorded for yet; ``overtaken`` are levels that
    were recorded as missed although the case had been settled in time.
    """

    level: int
    breached: tuple[Rung, ...]
    unrecorded: tuple[Rung, ...]
    overtaken: tuple[Rung, ...]


def settle(stamps: Sequence[Rung], former: int, closed_at: datetime) -> Settlement:
    """The end of a ladder whose last told level is ``former``."""
    level = level_at(stamps, closed_at)
    breached = tuple(rung for rung in stamps if rung.level < level)
    return Settlement(
        level=level,
        breached=breached,
        unrecorded=tuple(rung for rung in breached if rung.level >= former),
        overtaken=tuple(rung for rung in stamps if level <= rung.level < former),
    )

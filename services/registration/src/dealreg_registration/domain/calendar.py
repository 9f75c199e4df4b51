"""Business time: opening hours in a zone, without holidays; and the wall clock, as its simplest case.

Everything is computed on UTC instants, since a local clock is no line: in spring it skips an hour, in
autumn it repeats one. Must not know plans or countries; holidays come as dates.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

ONE_DAY = timedelta(days=1)
MIDNIGHT = time()


class Clock(Protocol):
    """Measures the time that a person has: all of it, or opening hours only."""

    def add(self, at: datetime, hours: timedelta) -> datetime:
        """The earliest instant by which ``hours`` have passed since ``at``."""
        ...

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The time that passes in [start, end); negative if ``end`` is the earlier one."""
        ...


@dataclass(frozen=True, slots=True)
class WallClock:
    """All hours count."""

    def add(self, at: datetime, hours: timedelta) -> datetime:
        return at.astimezone(UTC) + hours

    def between(self, start: datetime, end: datetime) -> timedelta:
        return end.astimezone(UTC) - start.astimezone(UTC)


WALL_CLOCK = WallClock()


@dataclass(frozen=True, slots=True, order=True)
class Opening:
    """Open from ``start`` to ``end`` on the local clock; an end not after it is the next day's."""

    start: time
    end: time

    @property
    def overnight(self) -> bool:
        return self.end <= self.start


ALL_DAY = Opening(MIDNIGHT, MIDNIGHT)


@dataclass(frozen=True, slots=True)
class BusinessCalendar:
    """Weekly opening hours in a zone, less holidays.

    ``week`` has the openings of each weekday from Monday on. An opening that spans midnight belongs to
    the day on which it starts: a holiday takes it away whole, and takes nothing of the night before.
    A local time that the clock skips counts as the instant of the jump; of one that comes twice, an
    opening takes the first and a closing the second. Raises ValueError if no day of the week is open.
    """

    zone: ZoneInfo
    week: tuple[tuple[Opening, ...], ...]
    holidays: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        if len(self.week) != 7 or not any(self.week):
            raise ValueError("a week has seven days, one of them open")

    def add(self, at: datetime, hours: timedelta) -> datetime:
        """The earliest instant by which the calendar was open for ``hours`` since ``at``.

        So a deadline lies at a closing, not at the next opening, and no hours are ``at`` itself.
        Raises ValueError for negative hours, OverflowError beyond the year 9999.
        """
        if hours < timedelta():
            raise ValueError("time is added, not taken away")
        reached, left = at.astimezone(UTC), hours
        if not left:
            return reached
        periods = self._open_from(reached)
        start, end = next(periods)
        while end - start < left:
            left -= end - start
            start, end = next(periods)
        return start + left

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The open time in [start, end); negative if ``end`` is the earlier one."""
        if end < start:
            return -self.between(end, start)
        last, total = end.astimezone(UTC), timedelta()
        for opened, closed in self._open_from(start.astimezone(UTC)):
            if opened >= last:
                break
            total += min(closed, last) - opened
        return total

    def add_business_days(self, at: datetime, days: int) -> datetime:
        """The end of the ``days``-th business day after the day of ``at``: midnight on the local clock.

        The day of ``at`` does not count, so nobody gets less than was said, and a letter may say "until
        the end of Friday". No days are ``at`` itself. Raises ValueError for negative days.
        """
        if days < 0:
            raise ValueError("days are added, not taken away")
        if days == 0:
            return at.astimezone(UTC)
        day, left = at.astimezone(self.zone).date(), days
        while left:
            day += ONE_DAY
            left -= self.is_business_day(day)
        return _instant(datetime.combine(day + ONE_DAY, MIDNIGHT), self.zone, fold=0)

    def is_business_day(self, day: date) -> bool:
        """Whether an opening starts on this local day."""
        return bool(self._openings(day))

    def _openings(self, day: date) -> Sequence[Opening]:
        return () if day in self.holidays else sorted(self.week[day.weekday()])

    def _open_from(self, at: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Open periods from ``at`` on, in order, without overlap and not empty, in UTC."""
        reached = at
        day = at.astimezone(self.zone).date() - 2 * ONE_DAY
        while True:
            for opening in self._openings(day):
                closing = day + ONE_DAY if opening.overnight else day
                start = _instant(datetime.combine(day, opening.start), self.zone, fold=0)
                end = _instant(datetime.combine(closing, opening.end), self.zone, fold=1)
                start = max(start, reached)
                if start < end:
                    yield start, end
                    reached = end
            day += ONE_DAY


def working_days(zone: ZoneInfo, holidays: frozenset[date] = frozenset()) -> BusinessCalendar:
    """Monday to Friday, all day: what "business days" means where a plan says nothing else."""
    week: Sequence[tuple[Opening, ...]] = [(ALL_DAY,)] * 5 + [()] * 2
    return BusinessCalendar(zone, tuple(week), holidays)


def _instant(local: datetime, zone: ZoneInfo, fold: int) -> datetime:
    """A local time as an instant; the jump itself for one that the clock skips."""
    found = local.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None, fold=0) == local:
        return found
    earlier, later = sorted(
        local.replace(tzinfo=zone, fold=side).astimezone(UTC) for side in (0, 1)
    )
    before = earlier.astimezone(zone).utcoffset()
    seconds = range(1, int((later - earlier).total_seconds()) + 1)
    jump = bisect_left(
        seconds,
        True,
        key=lambda s: (earlier + timedelta(seconds=s)).astimezone(zone).utcoffset() != before,
    )
    return earlier + timedelta(seconds=jump + 1)

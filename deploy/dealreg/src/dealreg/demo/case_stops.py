"""When time must stop for a case: its deadlines and reminders, as the events about it stamp them.

Knows what any reader of the events knows. Must not compute a deadline: they are stamped.
"""

import heapq
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from dealreg_shared.contracts.conflict import ConflictClosed, ConflictOpened
from dealreg_shared.contracts.envelope import Event


class _Stop(NamedTuple):
    at: datetime
    conflict_id: str
    generation: int
    repeats: bool


class CaseStops:
    """Instants at which somebody is to be told something about an open case, the next one first."""

    def __init__(self) -> None:
        self._stops: list[_Stop] = []
        self._stamp: dict[str, int] = {}
        self._every: dict[str, timedelta] = {}

    def note(self, event: Event[Any]) -> None:
        """Learn from an event: a stamp voids the stops of the one before, a closing all of them."""
        data = event.data
        if isinstance(data, ConflictClosed):
            self._stamp.pop(data.conflict_id, None)
            self._every.pop(data.conflict_id, None)
            return
        if isinstance(data, ConflictOpened) and data.repeat_hours is not None:
            self._every[data.conflict_id] = timedelta(hours=data.repeat_hours)
        deadlines = getattr(data, "deadlines", None)
        if not deadlines:
            return
        case, now = data.conflict_id, event.time
        self._stamp[case] = data.generation
        for deadline in deadlines[:-1]:
            for at in (*deadline.remind_at, deadline.due_at):
                if at > now:
                    self._add(case, at, repeats=False)
        reached = max([now, *(d.due_at for d in deadlines[-2:-1])])
        if getattr(data, "level", None) == deadlines[-1].level:
            reached = now
        if case in self._every:
            self._add(case, reached + self._every[case], repeats=True)

    def next(self) -> datetime | None:
        """The next stop of a case that is still open."""
        while self._stops and not self._counts(self._stops[0]):
            heapq.heappop(self._stops)
        return self._stops[0].at if self._stops else None

    def reached(self, now: datetime) -> None:
        """Every stop up to ``now`` is over."""
        while (at := self.next()) is not None and at <= now:
            stop = heapq.heappop(self._stops)
            if stop.repeats:
                self._add(stop.conflict_id, stop.at + self._every[stop.conflict_id], repeats=True)

    def _counts(self, stop: _Stop) -> bool:
        return self._stamp.get(stop.conflict_id) == stop.generation

    def _add(self, case: str, at: datetime, *, repeats: bool) -> None:
        heapq.heappush(self._stops, _Stop(at, case, self._stamp[case], repeats))

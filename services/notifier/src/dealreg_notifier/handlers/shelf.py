"""What was claimed and waits for a worker, so that one slow place keeps only some of the workers.

In memory, for one round of one channel: the rows under their lease are what counts. Must not touch the
database.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from dealreg_notifier.deliveries import Claimed


@dataclass(slots=True)
class _Lane:
    """What waits for one place, and how many workers are at it."""

    waiting: deque[Claimed] = field(default_factory=deque)
    busy: int = 0


class Shelf:
    """Places take turns. A place never has all ``workers``: a quarter is left for the others."""

    def __init__(self, workers: int) -> None:
        self._most = max(1, workers - max(1, workers // 4))
        self._lanes: dict[str | None, _Lane] = {}
        self._waiting = 0
        self._more = asyncio.Event()
        self._closed = False
        self.ready = 0
        """How many a free worker might take: not what waits for places with enough workers."""

    def put(self, claimed: Iterable[Claimed]) -> None:
        for item in claimed:
            lane = self._lanes.setdefault(place := _place(item), _Lane())
            lane.waiting.append(item)
            self._waiting += 1
            self.ready += self._free(place, lane)
        self._more.set()

    def close(self) -> None:
        """Workers end when nothing waits any more."""
        self._closed = True
        self._more.set()

    async def take(self) -> Claimed | None:
        """The next one, which its worker gives back with ``done``. None: that was all."""
        while not (self._closed and not self._waiting):
            for place, lane in self._lanes.items():
                if lane.waiting and self._free(place, lane):
                    self._lanes[place] = self._lanes.pop(place)  # the others come first next time
                    self._waiting -= 1
                    self.ready -= 1
                    item = lane.waiting.popleft()
                    lane.busy += 1
                    if not self._free(place, lane):
                        self.ready -= len(lane.waiting)
                    return item
            self._more.clear()
            await self._more.wait()
        return None

    def done(self, item: Claimed) -> None:
        """Its worker has finished with it."""
        lane = self._lanes[place := _place(item)]
        was_free = self._free(place, lane)
        lane.busy -= 1
        if not was_free:
            self.ready += len(lane.waiting)
            self._more.set()
        if not lane.waiting and not lane.busy:
            del self._lanes[place]
            self._more.set()

    def drop(self, item: Claimed) -> list[Claimed]:
        """Take away all that waits for the same place."""
        place = _place(item)
        if (lane := self._lanes.get(place)) is None:
            return []
        dropped = list(lane.waiting)
        lane.waiting.clear()
        self._waiting -= len(dropped)
        self.ready -= len(dropped) if self._free(place, lane) else 0
        if not lane.busy:
            del self._lanes[place]
        self._more.set()
        return dropped

    def _free(self, place: str | None, lane: _Lane) -> bool:
        return place is None or lane.busy < self._most


def _place(item: Claimed) -> str | None:
    return None if item.place is None else item.place.endpoint_id

"""Calls counted per key in a sliding window of a minute.

The last minute's count is taken as this minute's and that part of the former one's which still lies
within sixty seconds, as if its calls had come evenly. Own code, because it is run for every request and
the libraries at hand start a thread for every few of them.
"""

from dataclasses import dataclass

WINDOW = 60.0
"""Seconds."""


@dataclass(slots=True)
class _Count:
    window: int
    calls: int
    former: int


class CallCounter:
    """One per process. Times are seconds of one clock that never goes back."""

    def __init__(self) -> None:
        self._counts: dict[str, _Count] = {}

    def take(self, key: str, limit: int, now: float) -> float:
        """Count a call of ``key`` and return 0, or count none and return the seconds to wait."""
        window, gone = divmod(now, WINDOW)
        count = self._counts.get(key)
        if count is None:
            count = self._counts[key] = _Count(int(window), 0, 0)
        elif count.window != window:
            count.former = count.calls if count.window == window - 1 else 0
            count.window, count.calls = int(window), 0
        if count.calls + count.former * (1 - gone / WINDOW) <= limit - 1:
            count.calls += 1
            return 0.0
        return _wait(count, limit - 1, gone)


def _wait(count: _Count, most: int, gone: float) -> float:
    """Seconds until no more than ``most`` calls lie in the last minute."""
    if count.calls <= most:
        return WINDOW * (1 - (most - count.calls) / count.former) - gone
    return WINDOW - gone + WINDOW * (1 - most / count.calls)

"""The demo's clock: a callable that stands still until it is moved."""

from datetime import datetime


class SimulatedClock:
    """Starts at an instant and only goes forward. The services are given it as their ``now``."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def __call__(self) -> datetime:
        return self._now

    def advance(self, to: datetime) -> None:
        """Move to an instant. Raises ValueError for one that has passed."""
        if to < self._now:
            raise ValueError(f"{to} has passed; it is {self._now}")
        self._now = to

"""When a delivery that did not get through is tried again, and when it is put aside.

Must not draw a chance by itself: who asks brings it.
"""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Schedule:
    """Attempts and the pauses between them. Beyond ``pauses`` the last one repeats.

    ``jitter``: the share by which a pause is longer or shorter, so that what failed together does not
    come back together.
    """

    pauses: tuple[timedelta, ...]
    attempts: int
    jitter: float = 0.0

    def pause_after(self, attempt: int, chance: float = 0.5) -> timedelta | None:
        """How long to wait after ``attempt`` (counted from 1); None: that was the last.

        ``chance``: from 0 (shortest) to 1 (longest).
        """
        if attempt >= self.attempts:
            return None
        pause = self.pauses[min(attempt, len(self.pauses)) - 1]
        return pause * (1 + self.jitter * (2 * chance - 1))

    @property
    def shortest(self) -> timedelta:
        """From the first attempt to the last, with every pause at its shortest."""
        pauses = [self.pause_after(attempt, 0.0) for attempt in range(1, self.attempts)]
        return sum((pause for pause in pauses if pause is not None), timedelta())


PAUSES = (
    timedelta(seconds=30),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=2),
    timedelta(hours=4),
    timedelta(hours=8),
)
"""For people: ten attempts in about 16 hours. Later, the inbox has long told them."""

STANDARD_WEBHOOKS = Schedule(
    (
        timedelta(seconds=5),
        timedelta(minutes=5),
        timedelta(minutes=30),
        timedelta(hours=2),
        timedelta(hours=5),
        timedelta(hours=10),
        timedelta(hours=14),
        timedelta(hours=20),
        timedelta(hours=24),
    ),
    attempts=10,
    jitter=0.1,
)
"""The schedule that Standard Webhooks 1.0.0 recommends: ten attempts in 75 hours and 35 minutes."""

MOST_WAIT = timedelta(hours=24)
"""The longest wait that another side may ask for."""

BREATHER = timedelta(minutes=5)
"""How long the other notices for a place wait, at most, after one of them did not get through."""

GIVING_UP = timedelta(days=5)
"""A place that took nothing for so long is switched off."""

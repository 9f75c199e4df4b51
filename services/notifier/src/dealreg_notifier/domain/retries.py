"""When a delivery that did not get through is tried again, and when it is put aside."""

from datetime import timedelta

SCHEDULE = (
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
"""The pause after the first, second ... attempt: ten attempts in about 16 hours."""


def pause_after(attempt: int, most: int) -> timedelta | None:
    """How long to wait after ``attempt`` (counted from 1); None: ``most`` attempts were made.

    Beyond the schedule its last pause repeats.
    """
    if attempt >= most:
        return None
    return SCHEDULE[min(attempt, len(SCHEDULE)) - 1]

"""The schedules of attempts: for people in 16 hours, for webhooks as the standard recommends."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from dealreg_notifier.domain.retries import PAUSES, STANDARD_WEBHOOKS, Schedule


def pauses(schedule: Schedule, chance: float = 0.5) -> list[timedelta]:
    found = [schedule.pause_after(n, chance) for n in range(1, schedule.attempts + 1)]
    assert found.pop() is None
    return [pause for pause in found if pause is not None]


def test_ten_attempts_in_about_sixteen_hours() -> None:
    times = pauses(Schedule(PAUSES, 10))
    assert times == sorted(times) == list(PAUSES)
    assert timedelta(hours=15) < sum(times, timedelta()) < timedelta(hours=17)


def test_webhooks_follow_the_standards_schedule() -> None:
    times = pauses(STANDARD_WEBHOOKS)
    assert len(times) == 9
    assert sum(times, timedelta()) == timedelta(hours=75, minutes=35, seconds=5)
    assert STANDARD_WEBHOOKS.shortest == sum(times, timedelta()) * 0.9


@given(attempt=st.integers(1, 200), attempts=st.integers(1, 100), chance=st.floats(0, 1))
def test_every_failure_is_tried_again_within_bounds_or_put_aside(
    attempt: int, attempts: int, chance: float
) -> None:
    schedule = Schedule(PAUSES, attempts, jitter=0.1)
    pause = schedule.pause_after(attempt, chance)
    assert (pause is None) == (attempt >= attempts)
    plain = Schedule(PAUSES, attempts).pause_after(attempt, chance)
    if pause is not None and plain is not None:
        assert plain * 0.9 <= pause <= plain * 1.1 + timedelta(microseconds=1)

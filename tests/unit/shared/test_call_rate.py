"""Calls in a sliding minute: never more than allowed, and the wait that is told is enough."""

from hypothesis import given
from hypothesis import strategies as st

from dealreg_shared.auth.rate import WINDOW, CallCounter


def test_a_full_minute_frees_calls_as_it_slides_out() -> None:
    calls = CallCounter()
    assert [calls.take("a", 3, 0.0) for _ in range(4)] == [0, 0, 0, 80.0]
    assert calls.take("b", 3, 0.0) == 0
    assert calls.take("a", 3, 79.9) > 0
    assert calls.take("a", 3, 80.0) == 0
    assert round(calls.take("a", 3, 80.0), 6) == 20


def test_after_two_quiet_minutes_nothing_counts() -> None:
    calls = CallCounter()
    assert calls.take("a", 1, 59.0) == 0
    assert calls.take("a", 1, 60.0) == 60
    assert calls.take("a", 1, 180.0) == 0


@given(st.integers(1, 50), st.lists(st.floats(0, 30), max_size=200))
def test_the_wait_is_enough_and_no_window_has_more_than_the_limit(
    limit: int, pauses: list[float]
) -> None:
    calls, now, taken = CallCounter(), 0.0, []
    for pause in pauses:
        now += pause
        wait = calls.take("a", limit, now)
        if not wait:
            taken.append(now)
            continue
        assert 0 < wait <= 2 * WINDOW
        now += wait + 1e-6
        assert calls.take("a", limit, now) == 0
        taken.append(now)
    windows = [int(at // WINDOW) for at in taken]
    assert all(windows.count(window) <= limit for window in windows)

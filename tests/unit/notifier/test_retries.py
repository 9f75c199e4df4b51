"""The schedule of retries: it grows, and it ends."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from dealreg_notifier.domain.retries import SCHEDULE, pause_after


def test_the_last_attempt_has_no_successor() -> None:
    assert pause_after(9, 10) == SCHEDULE[-1]
    assert pause_after(10, 10) is None
    assert pause_after(1, 1) is None


@given(st.integers(2, 100))
def test_pauses_never_shrink(most: int) -> None:
    pauses = [pause for n in range(1, most) if (pause := pause_after(n, most)) is not None]
    assert len(pauses) == most - 1
    assert pauses == sorted(pauses)
    assert all(pause > timedelta() for pause in pauses)

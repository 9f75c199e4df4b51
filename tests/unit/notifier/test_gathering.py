"""Storm control: a bound on messages, a bound on waiting, and nothing is lost."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from dealreg_notifier.domain.gathering import SINGLY, TOGETHER, WINDOW, Gathering, Sent, gather
from tests.factories.notifier import START

SECOND = timedelta(seconds=1)
arrivals = st.lists(st.integers(0, 600), max_size=300).map(sorted)


@given(arrivals, st.integers(1, 12))
def test_whatever_comes_few_messages_leave_and_everything_leaves_within_the_window(
    seconds: list[int], limit: int
) -> None:
    """A person's messages over ten minutes, a tick a second."""
    sent: list[Sent] = []
    waiting: list[tuple[int, int]] = []  # when it came, when it is due
    left: list[int] = []
    for now in range(700):
        at = START + now * SECOND
        waiting += [(second, second) for second in seconds if second == now]
        due = [entry for entry in waiting if entry[1] <= now]
        if not due:
            continue
        found = gather(len(due), sent, at, limit)
        if found.until is not None:
            until = int((found.until - START) / SECOND)
            assert now < until <= now + 60
            waiting = [(came, until if ready <= now else ready) for came, ready in waiting]
            continue
        sent += [Sent(at, len(due))] if found == TOGETHER else [Sent(at, 1) for _ in due]
        left += [now - came for came, _ in due]
        waiting = [entry for entry in waiting if entry not in due]
    assert len(left) == len(seconds)
    assert all(waited < 60 for waited in left)
    assert sum(message.notices for message in sent) == len(seconds)
    for message in sent:
        within = [other for other in sent if message.at <= other.at < message.at + WINDOW]
        assert len(within) <= limit
        assert all(other.notices == 1 for other in within[:-1]) or len(within) == 1


def test_up_to_the_limit_each_goes_by_itself_and_beyond_it_all_together() -> None:
    assert gather(10, [], START, 10) == SINGLY
    assert gather(11, [], START, 10) == TOGETHER
    assert gather(200, [Sent(START - SECOND, 1)], START, 10) == TOGETHER


def test_after_a_list_the_next_waits_for_the_window_to_end() -> None:
    listed = START - 20 * SECOND
    assert gather(1, [Sent(listed, 200)], START, 10) == Gathering("later", listed + WINDOW)
    assert gather(1, [Sent(listed, 200)], listed + WINDOW, 10) == SINGLY


def test_without_a_limit_each_goes_by_itself() -> None:
    assert gather(10_000, [Sent(START, 5)], START, 0) == SINGLY

"""The level of a case at an instant, from its stamps, reviews, takings and pauses."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dealreg_shared.ladder import (
    Course,
    Deadline,
    Pause,
    Raise,
    Stamp,
    level_at,
    missed,
    passed_up,
    reached_at,
    taken_above,
)

T0 = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)


def stamp(generation: int = 1, at: datetime = T0, first: float = 4, second: float = 24) -> Stamp:
    return Stamp(
        generation,
        at,
        (
            Deadline(1, "partner_manager", "pm", T0 + first * HOUR),
            Deadline(2, "vp", "vp", T0 + second * HOUR),
            Deadline(3, "ceo", "ceo", None),
        ),
    )


def test_a_deadline_belongs_to_the_next_level() -> None:
    course = Course((stamp(),))
    assert [
        level_at(course, T0 + moment)
        for moment in (-HOUR, 0 * HOUR, 4 * HOUR - TICK, 4 * HOUR, 24 * HOUR - TICK, 24 * HOUR)
    ] == [1, 1, 1, 2, 2, 3]


def test_a_review_moves_the_case_up_at_once_and_a_taking_by_a_higher_level_does_too() -> None:
    review = Course((stamp(),), (Raise(2, T0 + 2 * HOUR, "pm", "review"),))
    assert level_at(review, T0 + 2 * HOUR - TICK) == 1
    assert level_at(review, T0 + 2 * HOUR) == 2
    assert level_at(review, T0 + 24 * HOUR) == 3
    assert passed_up(review, 1, T0 + 2 * HOUR)
    assert not passed_up(review, 1, T0 + HOUR)
    assert not taken_above(review, 1, T0 + 3 * HOUR)
    taken = Course((stamp(),), (Raise(3, T0 + HOUR, "ceo", "taking"),))
    assert level_at(taken, T0 + HOUR) == 3
    assert taken_above(taken, 2, T0 + HOUR)
    assert not taken_above(taken, 3, T0 + HOUR)
    assert not taken_above(taken, 2, T0)


def test_a_taking_on_its_own_level_changes_nothing_for_that_level() -> None:
    course = Course((stamp(),), (Raise(1, T0 + HOUR, "pm", "taking"),))
    assert level_at(course, T0 + 2 * HOUR) == 1
    assert level_at(course, T0 + 5 * HOUR) == 2
    assert not taken_above(course, 1, T0 + 5 * HOUR)


def test_the_clock_stands_in_a_pause_and_goes_on_with_new_stamps() -> None:
    course = Course(
        (stamp(), stamp(2, T0 + 12 * HOUR, 14, 34)),
        pauses=(Pause(T0 + 2 * HOUR, T0 + 12 * HOUR),),
    )
    assert level_at(course, T0 + 11 * HOUR) == 1
    assert level_at(course, T0 + 12 * HOUR) == 1
    assert level_at(course, T0 + 14 * HOUR) == 2
    open_ended = Course((stamp(),), pauses=(Pause(T0 + 2 * HOUR),))
    assert level_at(open_ended, T0 + 1000 * HOUR) == 1


def test_an_early_answer_overrules_the_stamp_made_for_the_longest_pause() -> None:
    course = Course(
        (stamp(), stamp(2, T0 + 12 * HOUR, 14, 34), stamp(3, T0 + 3 * HOUR, 5, 25)),
        pauses=(Pause(T0 + 2 * HOUR, T0 + 3 * HOUR),),
    )
    assert course.stamp_at(T0 + 13 * HOUR).generation == 3
    assert level_at(course, T0 + 5 * HOUR) == 2


def test_a_person_moves_the_case_up_even_in_a_pause() -> None:
    course = Course((stamp(),), (Raise(2, T0 + 3 * HOUR, "pm", "review"),), (Pause(T0 + 2 * HOUR),))
    assert level_at(course, T0 + 3 * HOUR) == 2


def test_a_closed_case_keeps_its_level() -> None:
    assert level_at(Course((stamp(),), closed_at=T0 + HOUR), T0 + 100 * HOUR) == 1


moments = st.integers(0, 60 * 60).map(lambda minutes: T0 + minutes * timedelta(minutes=1))


@given(
    st.lists(st.tuples(st.integers(1, 3), moments), max_size=3),
    moments,
    moments,
)
def test_the_level_never_falls_and_stays_on_the_ladder(
    raises: list[tuple[int, datetime]], one: datetime, other: datetime
) -> None:
    course = Course((stamp(),), tuple(Raise(level, at, "person", "taking") for level, at in raises))
    early, late = min(one, other), max(one, other)
    assert 1 <= level_at(course, early) <= level_at(course, late) <= 3


def levels_missed(course: Course, after: timedelta) -> list[int]:
    return [deadline.level for deadline in missed(course, T0 + after)]


def test_a_deadline_is_missed_at_its_very_instant_and_by_who_had_the_case() -> None:
    plain = Course((stamp(),))
    assert levels_missed(plain, 4 * HOUR - TICK) == []
    assert levels_missed(plain, 4 * HOUR) == [1]
    assert levels_missed(plain, 24 * HOUR) == [1, 2]
    assert levels_missed(Course((stamp(),), closed_at=T0 + 4 * HOUR - TICK), 99 * HOUR) == []
    assert levels_missed(Course((stamp(),), closed_at=T0 + 4 * HOUR), 99 * HOUR) == [1]
    for at, first in ((4 * HOUR - TICK, []), (4 * HOUR, [1])):
        review = Raise(2, T0 + at, "pm", "review")
        course = Course((stamp(), stamp(2, T0 + at)), (review,))
        assert levels_missed(course, 5 * HOUR) == first
        assert levels_missed(course, 24 * HOUR) == [*first, 2]


def test_a_pause_holds_a_deadline_back_and_a_new_stamp_replaces_it() -> None:
    course = Course(
        (stamp(), stamp(2, T0 + 6 * HOUR, 8, 28)), pauses=(Pause(T0 + 2 * HOUR, T0 + 6 * HOUR),)
    )
    assert levels_missed(course, 7 * HOUR) == []
    assert levels_missed(course, 8 * HOUR) == [1]
    at_once = Course((stamp(),), pauses=(Pause(T0 + 4 * HOUR, T0 + 6 * HOUR),))
    assert levels_missed(at_once, 4 * HOUR) == [1]


def test_when_a_level_becomes_responsible() -> None:
    plain = Course((stamp(),))
    assert [reached_at(plain, level) - T0 for level in (1, 2, 3)] == [0 * HOUR, 4 * HOUR, 24 * HOUR]
    review = Course((stamp(), stamp(2, T0 + HOUR)), (Raise(2, T0 + HOUR, "pm", "review"),))
    assert reached_at(review, 2) == T0 + HOUR
    paused = Course(
        (stamp(), stamp(2, T0 + 6 * HOUR, 8, 28)), pauses=(Pause(T0 + 2 * HOUR, T0 + 6 * HOUR),)
    )
    assert reached_at(paused, 2) == T0 + 8 * HOUR

"""Deadlines and reminders as stamped on opening, on passing up or taking, and around pauses."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealreg_registration.domain.calendar import WALL_CLOCK, BusinessCalendar, Opening
from dealreg_registration.domain.ladder_terms import (
    LadderTerms,
    LevelTerms,
    kept_with_case,
    terms_of,
    terms_row,
)
from dealreg_registration.domain.stamps import pause_end, paused, raised, resumed, stamp
from dealreg_shared.ladder import Course, Raise, level_at
from tests.factories.registration import START, plan

HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
WEEK = ((Opening(time(9), time(17)),),) * 5 + ((),) * 2
OFFICE = BusinessCalendar(ZoneInfo("Europe/Berlin"), WEEK, frozenset({date(2026, 12, 25)}))
ISLAND = BusinessCalendar(ZoneInfo("Pacific/Kiritimati"), WEEK)


def terms(first: int = 4, second: int = 24, **changes: Any) -> LadderTerms:
    clocks = changes.pop("clocks", (WALL_CLOCK, WALL_CLOCK))
    return LadderTerms(
        levels=(
            LevelTerms(1, "partner_manager", first * HOUR, clocks[0]),
            LevelTerms(2, "vp", second * HOUR, clocks[1]),
            LevelTerms(3, "ceo", None),
        ),
        **changes,
    )


def opened(ladder: LadderTerms, at: datetime = START, first: int = 1) -> Course:
    return Course((stamp(plan(ladder_terms=ladder), at, None, None, first),))


def dues(course: Course) -> list[timedelta | None]:
    return [
        None if deadline.due_at is None else deadline.due_at - START
        for deadline in course.stamps[-1].deadlines
    ]


def reminders(course: Course, level: int) -> list[timedelta]:
    [deadline] = [d for d in course.stamps[-1].deadlines if d.level == level]
    return [instant - START for instant in deadline.remind_at]


def review(at: timedelta, level: int = 2) -> Raise:
    return Raise(level, START + at, "manager", "review")


def test_the_rule_books_ladder() -> None:
    course = opened(LadderTerms())
    assert dues(course) == [4 * HOUR, 24 * HOUR, None]
    assert reminders(course, 1) == [2 * HOUR, 3.2 * HOUR]
    assert reminders(course, 2) == [14 * HOUR, 20 * HOUR]
    assert reminders(course, 3) == []
    assert [d.person_id for d in course.stamps[0].deadlines] == ["manager", "vp", "ceo"]


def test_level_two_is_never_due_before_level_one() -> None:
    course = opened(terms(48, 24))
    assert dues(course) == [48 * HOUR, 48 * HOUR, None]
    assert reminders(course, 2) == []


def test_the_vps_clock_may_start_when_the_case_comes_to_the_vp() -> None:
    ladder = terms(vp_clock_from="review")
    course = opened(ladder)
    assert dues(course) == [4 * HOUR, 28 * HOUR, None]
    after = raised(ladder, course, review(2 * HOUR))
    assert dues(after) == [4 * HOUR, 26 * HOUR, None]
    assert reminders(after, 2) == [14 * HOUR, 21.2 * HOUR]
    assert after.stamps[-1].generation == 2


def test_a_review_leaves_the_vps_deadline_and_stamps_its_reminders_anew() -> None:
    ladder = terms()
    after = raised(ladder, opened(ladder), review(2 * HOUR))
    assert dues(after) == [4 * HOUR, 24 * HOUR, None]
    assert reminders(after, 2) == [13 * HOUR, 19.6 * HOUR]
    assert level_at(after, START + 2 * HOUR) == 2


def test_what_does_not_raise_the_level_is_recorded_and_moves_nothing() -> None:
    ladder = terms()
    late = raised(ladder, opened(ladder), Raise(2, START + 5 * HOUR, "vp", "taking"))
    assert len(late.stamps) == 1
    own = raised(ladder, opened(ladder), Raise(1, START + HOUR, "manager", "taking"))
    assert len(own.stamps) == 1
    assert len(own.raises) == 1


def test_an_appeal_starts_above_and_its_clock_starts_anew() -> None:
    course = opened(terms(), first=2)
    assert dues(course) == [24 * HOUR, None]
    assert reminders(course, 2) == [12 * HOUR, 19.2 * HOUR]
    assert level_at(course, START) == 2
    assert dues(opened(terms(vp_clock_from="review"), first=2)) == [24 * HOUR, None]
    assert level_at(opened(terms(), first=3), START) == 3


def test_a_pause_gives_each_level_the_time_it_had_left() -> None:
    ladder = terms(pause_for_information=True)
    standing = paused(ladder, opened(ladder), START + 3 * HOUR, START + 9 * HOUR)
    assert dues(standing) == [10 * HOUR, 30 * HOUR, None]
    assert reminders(standing, 1) == [2 * HOUR, 9.2 * HOUR]
    assert level_at(standing, START + 8 * HOUR) == 1
    assert level_at(standing, START + 10 * HOUR) == 2  # nobody had to end the pause
    answered = resumed(ladder, standing, START + 5 * HOUR)
    assert dues(answered) == [6 * HOUR, 26 * HOUR, None]
    assert [s.generation for s in answered.stamps] == [1, 3]
    assert level_at(answered, START + 6 * HOUR) == 2
    assert resumed(ladder, standing, START + 9 * HOUR) == standing


def test_a_missed_deadline_stays_missed_after_a_pause() -> None:
    ladder = terms(pause_for_information=True)
    course = paused(ladder, opened(ladder), START + 5 * HOUR, START + 7 * HOUR)
    assert dues(course) == [4 * HOUR, 26 * HOUR, None]
    assert level_at(course, START + 8 * HOUR) == 2


def test_a_level_that_has_passed_the_case_up_puts_nothing_off_for_the_one_above() -> None:
    ladder = terms(4, 10, clocks=(OFFICE, WALL_CLOCK), pause_for_information=True)
    course = raised(ladder, opened(ladder), review(HOUR))
    standing = paused(ladder, course, START + 2 * HOUR, START + 7.5 * HOUR)
    assert dues(standing) == [4 * HOUR, 15.5 * HOUR, None]


def test_a_review_during_a_pause_counts_at_once_and_its_clock_starts_afterwards() -> None:
    ladder = terms(pause_for_information=True, vp_clock_from="review")
    standing = paused(ladder, opened(ladder), START + HOUR, START + 11 * HOUR)
    after = raised(ladder, standing, review(2 * HOUR))
    assert level_at(after, START + 2 * HOUR) == 2
    assert dues(after)[1] == 35 * HOUR
    early = resumed(ladder, after, START + 6 * HOUR)
    assert dues(early)[1] == 30 * HOUR
    assert [s.generation for s in early.stamps] == [1, 4]


def test_pauses_together_take_no_longer_than_the_plan_says() -> None:
    ladder = terms(pause_for_information=True, pause_limit=10 * HOUR)
    course = opened(ladder)
    assert pause_end(ladder, course, START + HOUR, START + 5 * HOUR) == START + 5 * HOUR
    course = paused(ladder, course, START + HOUR, START + 5 * HOUR)
    assert pause_end(ladder, course, START + 6 * HOUR, START + 99 * HOUR) == START + 12 * HOUR
    course = paused(ladder, course, START + 6 * HOUR, START + 12 * HOUR)
    assert pause_end(ladder, course, START + 13 * HOUR, START + 99 * HOUR) is None
    off = terms(pause_for_information=False)
    assert pause_end(off, opened(off), START + HOUR, START + 5 * HOUR) is None


def test_a_pause_within_a_pause_and_one_without_length_are_refused() -> None:
    ladder = terms(pause_for_information=True)
    course = paused(ladder, opened(ladder), START, START + HOUR)
    with pytest.raises(ValueError, match="a pause begins"):
        paused(ladder, course, START + HOUR - TICK, START + 2 * HOUR)
    with pytest.raises(ValueError, match="a pause begins"):
        paused(ladder, opened(ladder), START, START)


def test_business_hours_per_level() -> None:
    friday = datetime(2026, 12, 18, 14, tzinfo=UTC)  # 15:00 in Berlin
    course = opened(terms(4, 10, clocks=(OFFICE, OFFICE)), friday)
    [first, second, _] = course.stamps[0].deadlines
    assert first.due_at == datetime(2026, 12, 21, 10, tzinfo=UTC)
    assert first.remind_at[0] == datetime(2026, 12, 18, 16, tzinfo=UTC)
    assert second.due_at == datetime(2026, 12, 21, 16, tzinfo=UTC)
    mixed = opened(terms(4, 24, clocks=(OFFICE, WALL_CLOCK)), friday)
    assert mixed.stamps[0].deadlines[1].due_at == mixed.stamps[0].deadlines[0].due_at


def test_a_case_keeps_its_terms() -> None:
    ladder = terms(clocks=(OFFICE, ISLAND), vp_clock_from="review", repeat_hours=None)
    row = json.loads(json.dumps(terms_row(ladder, START)))
    assert terms_of(row) == kept_with_case(ladder, START) == ladder
    assert terms_of(terms_row(LadderTerms(), START)) == LadderTerms()


clocks = st.sampled_from([WALL_CLOCK, OFFICE, ISLAND])
ladders = st.builds(
    lambda first, second, one, two, origin: terms(
        first,
        second,
        clocks=(one, two),
        vp_clock_from=origin,
        pause_for_information=True,
        pause_limit=10_000 * HOUR,
    ),
    st.integers(1, 40),
    st.integers(1, 80),
    clocks,
    clocks,
    st.sampled_from(["opening", "review"]),
)
minutes = st.integers(0, 6000).map(lambda count: timedelta(minutes=count))
steps = st.lists(
    st.tuples(minutes, st.sampled_from(["review", "take2", "take3", "pause", "resume"]), minutes),
    max_size=6,
)


def walk(
    ladder: LadderTerms,
    course: Course,
    history: list[tuple[timedelta, str, timedelta]],
    seen: Callable[[Course, Course, datetime], None],
) -> Course:
    now = course.stamps[0].at
    for wait, act, length in history:
        now += wait
        before = course
        level = level_at(course, now)
        if act == "review" and level < 3:
            course = raised(ladder, course, Raise(level + 1, now, "x", "review"))
        elif act.startswith("take"):
            course = raised(ladder, course, Raise(int(act[-1]), now, "x", "taking"))
        elif act == "pause" and course.paused(now) is None and length:
            course = paused(ladder, course, now, now + length)
        elif act == "resume":
            course = resumed(ladder, course, now)
        seen(before, course, now)
    return course


@given(ladders, minutes, steps)
def test_over_any_history_the_ladder_only_climbs(
    ladder: LadderTerms, start: timedelta, history: list[tuple[timedelta, str, timedelta]]
) -> None:
    course = opened(ladder, START + start)

    def seen(before: Course, after: Course, now: datetime) -> None:
        assert level_at(after, now) >= level_at(before, now)
        for earlier in (now - TICK, now - HOUR, now - 30 * HOUR):
            assert level_at(after, earlier) == level_at(before, earlier)
        last = after.stamps[-1]
        assert last.generation >= before.stamps[-1].generation
        assert (last == before.stamps[-1]) == (last.generation == before.stamps[-1].generation)
        for lower, upper in pairwise([d.due_at for d in last.deadlines if d.due_at]):
            assert lower <= upper
        for deadline in last.deadlines:
            assert list(deadline.remind_at) == sorted(deadline.remind_at)
            assert all(i < deadline.due_at for i in deadline.remind_at if deadline.due_at)

    course = walk(ladder, course, history, seen)
    instants = sorted(
        {s.at for s in course.stamps}
        | {d.due_at for s in course.stamps for d in s.deadlines if d.due_at}
        | {p.end for p in course.pauses if p.end}
    )
    levels = [level_at(course, i + shift) for i in instants for shift in (-TICK, TICK * 0, HOUR)]
    times = [i + shift for i in instants for shift in (-TICK, TICK * 0, HOUR)]
    in_order = [level for _, level in sorted(zip(times, levels, strict=True))]
    assert in_order == sorted(in_order)


@given(ladders, minutes, st.integers(1, 3000), st.integers(0, 3000))
def test_a_pause_never_brings_a_deadline_nearer_and_an_early_answer_never_puts_it_off(
    ladder: LadderTerms, start: timedelta, length: int, early: int
) -> None:
    course = opened(ladder, START)
    at, until = START + start, START + start + timedelta(minutes=length)
    standing = paused(ladder, course, at, until)
    answered = resumed(ladder, standing, min(until, at + timedelta(minutes=early)))
    for plain, long, short in zip(
        course.stamps[-1].deadlines,
        standing.stamps[-1].deadlines,
        answered.stamps[-1].deadlines,
        strict=True,
    ):
        if plain.due_at and long.due_at and short.due_at:
            assert plain.due_at <= short.due_at <= long.due_at


def test_a_level_above_the_ladder_has_no_deadline() -> None:
    assert LadderTerms().of(4).hours is None

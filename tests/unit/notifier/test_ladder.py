"""The ladder as a pure function: instants around a deadline, people missing, histories at random."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealreg_notifier.domain.ladder import (
    Climb,
    climb,
    next_repeat,
    paused,
    raised_by,
    reminded,
    resumed,
    settle,
    timers,
)
from dealreg_shared.ladder import Course, Deadline, Pause, Raise, Stamp, level_at, missed

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FOUR, DAY = timedelta(hours=4), timedelta(hours=24)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


def stamped(
    first: timedelta,
    second: timedelta,
    manager: str | None = "mia",
    vp: str | None = "vic",
    ceo: str | None = "cleo",
) -> tuple[Deadline, ...]:
    return (
        Deadline(1, "partner_manager", manager, T0 + first, (T0 + 2 * HOUR, T0 + 3 * HOUR)),
        Deadline(2, "vp", vp, T0 + second, (T0 + FOUR + HOUR,)),
        Deadline(3, "ceo", ceo, None),
    )


def ladder(manager: str | None = "mia", vp: str | None = "vic", ceo: str | None = "cleo") -> Course:
    return Course((Stamp(1, T0, stamped(FOUR, DAY, manager, vp, ceo)),))


def closed(course: Course, after: timedelta) -> Course:
    return replace(course, closed_at=T0 + after)


def test_a_ladder_may_start_above_the_first_level() -> None:
    course = Course((Stamp(1, T0, stamped(FOUR, DAY)[1:]),))
    change = climb(course, None, [], T0)
    assert change.level == 2
    assert [(told.person_id, told.missed) for told in change.told] == [("vic", ())]


def test_opening_calls_the_manager_and_nobody_else() -> None:
    change = climb(ladder(), None, [], T0 + SECOND)
    assert change.level == 1
    assert [raised.rung.level for raised in change.raised] == [1]
    assert change.breached == ()
    (told,) = change.told
    assert told.person_id == "mia"
    assert told.called is not None
    assert told.called.level == 1
    assert change.raised[0].late == SECOND


def test_a_deadline_calls_the_vp_and_tells_the_one_who_missed_it() -> None:
    change = climb(ladder(), 1, [], T0 + FOUR)
    assert [rung.level for rung in change.breached] == [1]
    by_person = {told.person_id: told for told in change.told}
    assert by_person.keys() == {"mia", "vic"}
    assert by_person["mia"].called is None
    assert [rung.level for rung in by_person["mia"].missed] == [1]
    assert by_person["vic"].called == ladder().stamps[0].deadlines[1]
    assert by_person["vic"].missed == ()
    assert change.raised[0].late == timedelta()


def test_the_ceo_is_called_once() -> None:
    assert {t.person_id for t in climb(ladder(), 2, [1], T0 + DAY).told} == {"vic", "cleo"}
    assert climb(ladder(), 3, [1, 2], T0 + 30 * DAY) == Climb(3)


def test_one_person_at_two_levels_gets_one_notice_for_a_change() -> None:
    change = climb(ladder(manager="vic"), 1, [], T0 + FOUR)
    (told,) = change.told
    assert told.person_id == "vic"
    assert told.called is not None
    assert [rung.level for rung in told.missed] == [1]


def test_two_deadlines_passed_unseen_are_both_breached_and_each_person_is_told_once() -> None:
    change = climb(ladder(), 1, [], T0 + DAY + 2 * FOUR)
    assert [raised.rung.level for raised in change.raised] == [2, 3]
    assert [raised.late for raised in change.raised] == [DAY + FOUR, 2 * FOUR]
    assert [rung.level for rung in change.breached] == [1, 2]
    assert sorted(told.person_id for told in change.told) == ["cleo", "mia", "vic"]
    assert [told.person_id for told in change.told if told.called] == ["cleo"]


def test_a_level_without_anybody_is_raised_and_the_next_known_above_is_called() -> None:
    change = climb(ladder(vp=None), 1, [], T0 + FOUR)
    assert [rung.level for rung in change.unassigned] == [2]
    called = [told for told in change.told if told.called]
    assert [(told.person_id, told.stands_in_for) for told in called] == [("cleo", "vp")]
    assert called[0].called is not None
    assert called[0].called.level == 2


def test_nobody_known_at_all_still_raises_every_level() -> None:
    change = climb(ladder(None, None, None), None, [], T0 + DAY)
    assert [raised.rung.level for raised in change.raised] == [1, 2, 3]
    assert change.told == ()


def test_an_erased_person_counts_as_unknown() -> None:
    change = climb(ladder(), None, [], T0, unknown={"mia"})
    assert [rung.level for rung in change.unassigned] == [1]
    assert [told.person_id for told in change.told] == ["vic"]


def test_settling_is_judged_by_the_instant_of_closing() -> None:
    in_time = settle(closed(ladder(), FOUR - SECOND), recorded=[1])
    assert (in_time.level, in_time.breached) == (1, ())
    assert [rung.level for rung in in_time.overtaken] == [1]
    late = settle(closed(ladder(), FOUR), recorded=[])
    assert late.level == 2
    assert [rung.level for rung in late.unrecorded] == [1]
    assert late.overtaken == ()
    on_record = settle(closed(ladder(), FOUR + SECOND), recorded=[1])
    assert [rung.level for rung in on_record.breached] == [1]
    assert (on_record.unrecorded, on_record.overtaken) == ((), ())
    with pytest.raises(ValueError, match="not closed"):
        settle(ladder(), [])


def test_a_review_that_comes_to_light_late_takes_the_missed_deadline_back() -> None:
    step = Raise(2, T0 + FOUR - SECOND, "mia", "review")
    course = raised_by(ladder(), step, 2, ladder().stamps[0].deadlines)
    assert climb(course, 2, [1], T0 + FOUR + SECOND).breached == ()
    end = settle(replace(course, closed_at=T0 + DAY - SECOND), [1])
    assert [rung.level for rung in end.overtaken] == [1]
    assert end.breached == ()


def test_a_review_calls_the_next_and_nobody_missed_anything() -> None:
    step = Raise(2, T0 + 2 * HOUR, "mia", "review")
    course = raised_by(ladder(), step, 2, ladder().stamps[0].deadlines)
    change = climb(course, 1, [], T0 + 2 * HOUR)
    assert (change.level, change.breached) == (2, ())
    assert change.raised[0].since == T0 + 2 * HOUR
    assert [told.person_id for told in change.told] == ["vic"]
    assert {timer.step for timer in timers(course, 2) if timer.kind == "deadline"} == {2}
    assert climb(course, 2, [], T0 + DAY).breached[0].level == 2


def test_a_pause_that_comes_to_light_late_brings_the_level_down_and_up_again() -> None:
    deadlines = stamped(FOUR + DAY, 2 * DAY)
    course = paused(ladder(), Pause(T0 + HOUR, T0 + DAY + HOUR), 2, deadlines)
    fallen = climb(course, 2, [1], T0 + FOUR + SECOND)
    assert (fallen.level, fallen.raised, fallen.told) == (1, (), ())
    again = climb(course, 1, [1], T0 + FOUR + DAY)
    assert [raised.rung.level for raised in again.raised] == [2]
    early = resumed(course, T0 + 2 * HOUR, 3, stamped(FOUR + HOUR, DAY + HOUR))
    assert [stamp.generation for stamp in early.stamps] == [1, 3]
    assert climb(early, 1, [], T0 + FOUR + HOUR).level == 2
    assert resumed(early, T0 + 2 * HOUR, 3, ()).stamps == early.stamps


def test_reminders_belong_to_a_level_whose_turn_it_is() -> None:
    course = ladder()
    kinds = [(timer.kind, timer.step, timer.due_at - T0) for timer in timers(course, 1)]
    assert kinds == [
        ("deadline", 1, FOUR),
        ("reminder", 100, 2 * HOUR),
        ("reminder", 101, 3 * HOUR),
        ("deadline", 2, DAY),
        ("reminder", 200, FOUR + HOUR),
    ]
    half = reminded(course, 100, T0 + 2 * HOUR)
    assert half is not None
    assert half.level == 1
    assert reminded(course, 100, T0 + FOUR) is None
    standing = paused(course, Pause(T0 + HOUR, T0 + DAY), 2, stamped(DAY + FOUR, 2 * DAY))
    assert reminded(standing, 100, T0 + 2 * HOUR) is None


def test_the_last_level_is_reminded_again_from_its_own_turn_on() -> None:
    course = ladder()
    assert next_repeat(course, 2, DAY, T0) is None
    assert next_repeat(course, 3, None, T0 + DAY) is None
    first = next_repeat(course, 3, DAY, T0 + DAY)
    assert first is not None
    assert (first.step, first.due_at) == (1, T0 + 2 * DAY)
    late = next_repeat(course, 3, DAY, T0 + 4 * DAY + HOUR)
    assert late is not None
    assert (late.step, late.due_at) == (4, T0 + 5 * DAY)
    standing = paused(course, Pause(T0 + DAY + HOUR, T0 + 3 * DAY), 2, stamped(FOUR, DAY))
    after = next_repeat(standing, 3, DAY, T0 + 2 * DAY)
    assert after is not None
    assert (after.step, after.due_at) == (1, T0 + 4 * DAY)


def test_a_review_during_a_pause_is_stamped_for_its_end() -> None:
    standing = paused(ladder(), Pause(T0 + HOUR, T0 + DAY), 2, stamped(DAY + FOUR, 2 * DAY))
    step = Raise(2, T0 + 2 * HOUR, "mia", "review")
    course = raised_by(standing, step, 3, stamped(DAY + FOUR, 2 * DAY))
    assert [(s.generation, s.at - T0) for s in course.stamps] == [(1, 0 * HOUR), (3, DAY)]
    assert climb(course, 1, [], T0 + 2 * HOUR).level == 2


people = st.sampled_from(["ann", "bob", "cem", None])
minutes = st.integers(0, 3_000).map(lambda count: timedelta(minutes=count))


@st.composite
def ladders(draw: st.DrawFn) -> Course:
    dues = sorted(draw(st.lists(minutes, min_size=2, max_size=2)))
    roles = ("partner_manager", "vp", "ceo")
    rungs = tuple(
        Deadline(level, role, draw(people), None if level == 3 else T0 + dues[level - 1])
        for level, role in enumerate(roles, start=1)
    )
    return Course((Stamp(1, T0, rungs[draw(st.integers(0, 2)) :]),))


@given(ladders(), st.lists(minutes, min_size=1, max_size=12))
def test_climbing_at_any_instants_agrees_with_the_level_and_records_all_once(
    course: Course, offsets: list[timedelta]
) -> None:
    level: int | None = None
    raised: list[int] = []
    breached: list[int] = []
    for offset in sorted(offsets):
        now = T0 + offset
        change = climb(course, level, breached, now)
        level = change.level
        assert level == level_at(course, now)
        assert len({told.person_id for told in change.told}) == len(change.told)
        assert sum(told.called is not None for told in change.told) <= 1
        raised += [step.rung.level for step in change.raised]
        breached += [rung.level for rung in change.breached]
    assert level is not None
    rungs = course.stamps[0].deadlines
    assert raised == [rung.level for rung in rungs if rung.level <= level]
    assert breached == [rung.level for rung in rungs if rung.level < level]


@given(ladders(), minutes, minutes)
def test_a_settlement_repairs_whatever_was_told_before_it(
    course: Course, told_at: timedelta, after: timedelta
) -> None:
    recorded = {rung.level for rung in missed(course, T0 + told_at)}
    over = replace(course, closed_at=T0 + after)
    end = settle(over, recorded)
    repaired = recorded | {rung.level for rung in end.unrecorded}
    repaired -= {rung.level for rung in end.overtaken}
    assert repaired == {rung.level for rung in end.breached}
    assert end.level == level_at(over, T0 + after)

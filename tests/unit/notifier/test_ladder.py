"""The ladder as a pure function: instants around a deadline, people missing, histories at random."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dealreg_notifier.domain.ladder import (
    Climb,
    History,
    Rung,
    climb,
    level_at,
    responsible_since,
    settle,
)

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FOUR, DAY = timedelta(hours=4), timedelta(hours=24)
SECOND, TICK = timedelta(seconds=1), timedelta(microseconds=1)


def ladder(
    manager: str | None = "mia", vp: str | None = "vic", ceo: str | None = "cleo"
) -> tuple[Rung, ...]:
    return (
        Rung(1, "partner_manager", manager, T0 + FOUR),
        Rung(2, "vp", vp, T0 + DAY),
        Rung(3, "ceo", ceo, None),
    )


def test_level_changes_at_the_very_instant_of_a_deadline() -> None:
    stamps = ladder()
    assert level_at(stamps, T0) == 1
    assert level_at(stamps, T0 + FOUR - SECOND) == 1
    assert level_at(stamps, T0 + FOUR - TICK) == 1
    assert level_at(stamps, T0 + FOUR) == 2
    assert level_at(stamps, T0 + FOUR + SECOND) == 2
    assert level_at(stamps, T0 + DAY - TICK) == 2
    assert level_at(stamps, T0 + DAY) == 3
    assert level_at(stamps, T0 + 400 * DAY) == 3


def test_a_closed_case_keeps_the_level_of_its_closing_instant() -> None:
    stamps = ladder()
    assert level_at(stamps, T0 + DAY, History(closed_at=T0 + FOUR - SECOND)) == 1
    assert level_at(stamps, T0 + DAY, History(closed_at=T0 + FOUR)) == 2
    assert level_at(stamps, T0, History(closed_at=T0 + DAY)) == 1


def test_equal_deadlines_pass_straight_to_the_level_above() -> None:
    stamps = (
        Rung(1, "partner_manager", "mia", T0 + FOUR),
        Rung(2, "vp", "vic", T0 + FOUR),
        Rung(3, "ceo", "cleo", None),
    )
    assert level_at(stamps, T0 + FOUR - TICK) == 1
    assert level_at(stamps, T0 + FOUR) == 3


def test_a_ladder_may_start_above_the_first_level() -> None:
    stamps = ladder()[1:]
    change = climb(stamps, T0, None, T0)
    assert change.level == 2
    assert [(told.person_id, told.missed) for told in change.told] == [("vic", ())]


def test_opening_calls_the_manager_and_nobody_else() -> None:
    change = climb(ladder(), T0, None, T0 + SECOND)
    assert change.level == 1
    assert [raised.rung.level for raised in change.raised] == [1]
    assert change.breached == ()
    (told,) = change.told
    assert told.person_id == "mia"
    assert told.called is not None
    assert told.called.level == 1
    assert change.raised[0].late == SECOND


def test_a_deadline_calls_the_vp_and_tells_the_one_who_missed_it() -> None:
    change = climb(ladder(), T0, 1, T0 + FOUR)
    assert [rung.level for rung in change.breached] == [1]
    by_person = {told.person_id: told for told in change.told}
    assert by_person.keys() == {"mia", "vic"}
    assert by_person["mia"].called is None
    assert [rung.level for rung in by_person["mia"].missed] == [1]
    assert by_person["vic"].called == ladder()[1]
    assert by_person["vic"].missed == ()
    assert change.raised[0].late == timedelta()


def test_the_ceo_is_called_once() -> None:
    assert {t.person_id for t in climb(ladder(), T0, 2, T0 + DAY).told} == {"vic", "cleo"}
    assert climb(ladder(), T0, 3, T0 + 30 * DAY) == Climb(3)


def test_one_person_at_two_levels_gets_one_notice_for_a_change() -> None:
    change = climb(ladder(manager="vic"), T0, 1, T0 + FOUR)
    (told,) = change.told
    assert told.person_id == "vic"
    assert told.called is not None
    assert [rung.level for rung in told.missed] == [1]


def test_two_deadlines_passed_unseen_are_both_breached_and_each_person_is_told_once() -> None:
    change = climb(ladder(), T0, 1, T0 + DAY + 2 * FOUR)
    assert [raised.rung.level for raised in change.raised] == [2, 3]
    assert [raised.late for raised in change.raised] == [DAY + FOUR, 2 * FOUR]
    assert [rung.level for rung in change.breached] == [1, 2]
    assert sorted(told.person_id for told in change.told) == ["cleo", "mia", "vic"]
    assert [told.person_id for told in change.told if told.called] == ["cleo"]


def test_a_level_without_anybody_is_raised_and_the_next_known_above_is_called() -> None:
    change = climb(ladder(vp=None), T0, 1, T0 + FOUR)
    assert [rung.level for rung in change.unassigned] == [2]
    called = [told for told in change.told if told.called]
    assert [(told.person_id, told.stands_in_for) for told in called] == [("cleo", "vp")]
    assert called[0].called is not None
    assert called[0].called.level == 2


def test_nobody_known_at_all_still_raises_every_level() -> None:
    stamps = ladder(None, None, None)
    change = climb(stamps, T0, None, T0 + DAY)
    assert [raised.rung.level for raised in change.raised] == [1, 2, 3]
    assert change.told == ()


def test_an_erased_person_counts_as_unknown() -> None:
    change = climb(ladder(), T0, None, T0, unknown={"mia"})
    assert [rung.level for rung in change.unassigned] == [1]
    assert [told.person_id for told in change.told] == ["vic"]


def test_settling_is_judged_by_the_instant_of_closing() -> None:
    in_time = settle(ladder(), former=2, closed_at=T0 + FOUR - SECOND)
    assert (in_time.level, in_time.breached) == (1, ())
    assert [rung.level for rung in in_time.overtaken] == [1]
    late = settle(ladder(), former=1, closed_at=T0 + FOUR)
    assert late.level == 2
    assert [rung.level for rung in late.unrecorded] == [1]
    assert late.overtaken == ()
    known = settle(ladder(), former=2, closed_at=T0 + FOUR + SECOND)
    assert [rung.level for rung in known.breached] == [1]
    assert (known.unrecorded, known.overtaken) == ((), ())


people = st.sampled_from(["ann", "bob", "cem", None])
minutes = st.integers(0, 3_000).map(lambda count: timedelta(minutes=count))


@st.composite
def ladders(draw: st.DrawFn) -> tuple[Rung, ...]:
    dues = sorted(draw(st.lists(minutes, min_size=2, max_size=2)))
    roles = ("partner_manager", "vp", "ceo")
    rungs = tuple(
        Rung(level, role, draw(people), None if level == 3 else T0 + dues[level - 1])
        for level, role in enumerate(roles, start=1)
    )
    return rungs[draw(st.integers(0, 2)) :]


@given(ladders(), st.lists(minutes, min_size=1, max_size=12))
def test_climbing_at_any_instants_agrees_with_the_level_and_records_all_once(
    stamps: tuple[Rung, ...], offsets: list[timedelta]
) -> None:
    level: int | None = None
    raised: list[int] = []
    breached: list[int] = []
    for offset in sorted(offsets):
        now = T0 + offset
        change = climb(stamps, T0, level, now)
        level = change.level
        assert level == level_at(stamps, now)
        assert len({told.person_id for told in change.told}) == len(change.told)
        assert sum(told.called is not None for told in change.told) <= 1
        raised += [step.rung.level for step in change.raised]
        breached += [rung.level for rung in change.breached]
    assert level is not None
    assert raised == [rung.level for rung in stamps if rung.level <= level]
    assert breached == [rung.level for rung in stamps if rung.level < level]


@given(ladders(), minutes, minutes)
def test_the_level_never_falls(stamps: tuple[Rung, ...], one: timedelta, two: timedelta) -> None:
    early, late = sorted((one, two))
    assert level_at(stamps, T0 + early) <= level_at(stamps, T0 + late)


@given(ladders(), minutes, minutes)
def test_a_settlement_repairs_whatever_was_told_before_it(
    stamps: tuple[Rung, ...], told_at: timedelta, closed: timedelta
) -> None:
    told = level_at(stamps, T0 + told_at)
    end = settle(stamps, told, T0 + closed)
    recorded = {rung.level for rung in stamps if rung.level < told}
    after = recorded | {rung.level for rung in end.unrecorded}
    after -= {rung.level for rung in end.overtaken}
    assert after == {rung.level for rung in end.breached}
    assert end.level == level_at(stamps, T0 + closed)


@given(ladders(), minutes)
def test_nobody_is_responsible_before_the_time_that_is_named(
    stamps: tuple[Rung, ...], offset: timedelta
) -> None:
    level = level_at(stamps, T0 + offset)
    since = responsible_since(stamps, T0, level)
    assert T0 <= since <= T0 + offset

"""Business time, at the places where calendars are usually wrong."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealreg_registration.domain.calendar import (
    ALL_DAY,
    WALL_CLOCK,
    BusinessCalendar,
    Opening,
    working_days,
)

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)
NINE_TO_FIVE = Opening(time(9), time(17))
NEW_YORK = ZoneInfo("America/New_York")
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [
    "UTC",
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",  # daylight saving of half an hour
    "Pacific/Kiritimati",  # UTC+14
    "Pacific/Pago_Pago",  # UTC-11
    "Pacific/Apia",  # had no 30 December 2011
    "Asia/Kathmandu",  # UTC+5:45
    "America/Havana",  # changes its clock at midnight
]


def office(
    zone: str = "Europe/Berlin",
    *holidays: date,
    hours: Opening = NINE_TO_FIVE,
    days: range = range(5),
) -> BusinessCalendar:
    week = tuple((hours,) if day in days else () for day in range(7))
    return BusinessCalendar(ZoneInfo(zone), week, frozenset(holidays))


def local(zone: str, year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(zone))


moments = st.builds(
    lambda minutes: datetime(2010, 1, 1, tzinfo=UTC) + minutes * MINUTE,
    st.integers(0, 20 * 365 * 24 * 60),
)
near_jumps = st.builds(
    lambda base, minutes: base + minutes * MINUTE,
    st.sampled_from(
        [
            datetime(2026, 3, 8, 7, tzinfo=UTC),  # New York forward
            datetime(2026, 11, 1, 6, tzinfo=UTC),  # New York back
            datetime(2026, 3, 29, 1, tzinfo=UTC),  # Berlin forward
            datetime(2026, 10, 25, 1, tzinfo=UTC),  # Berlin back
            datetime(2011, 12, 30, 10, tzinfo=UTC),  # Apia, over the date line
            datetime(2028, 2, 29, tzinfo=UTC),
            datetime(2026, 12, 31, 23, 59, tzinfo=UTC),
        ]
    ),
    st.integers(-4000, 4000),
)
instants = st.one_of(moments, near_jumps)
clock_times = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))
openings = st.builds(Opening, clock_times, clock_times)
days_off = st.frozensets(st.dates(date(2009, 12, 1), date(2031, 1, 31)), max_size=6)
weeks = st.lists(st.lists(openings, max_size=2).map(tuple), min_size=7, max_size=7).filter(any)
calendars = st.builds(
    BusinessCalendar,
    st.sampled_from(ZONES).map(ZoneInfo),
    weeks.map(tuple),
    days_off,
)
spans = st.integers(0, 90 * 3600).map(lambda seconds: timedelta(seconds=seconds))
clocks = st.one_of(calendars, st.just(WALL_CLOCK))


@given(clocks, instants, spans, spans)
def test_what_was_added_has_passed_and_not_a_moment_earlier(
    clock: BusinessCalendar, at: datetime, hours: timedelta, more: timedelta
) -> None:
    due = clock.add(at, hours)
    assert clock.between(at, due) == hours
    assert due == at or clock.between(at, due - TICK) < hours
    assert clock.add(at, hours + more) >= due
    assert clock.add(clock.add(at, hours), more) == clock.add(at, hours + more)


@given(clocks, instants, st.integers(0, 200 * 3600), spans)
def test_who_starts_later_is_due_no_earlier(
    clock: BusinessCalendar, at: datetime, later: int, hours: timedelta
) -> None:
    start = at + timedelta(seconds=later)
    assert clock.add(start, hours) >= clock.add(at, hours)


@given(clocks, instants, instants, instants)
def test_time_between_adds_up_and_is_never_more_than_the_wall_clocks(
    clock: BusinessCalendar, one: datetime, two: datetime, three: datetime
) -> None:
    first, second, third = sorted((one, two, three))
    first, third = max(first, second - timedelta(days=40)), min(third, second + timedelta(days=40))
    parts = clock.between(first, second) + clock.between(second, third)
    assert clock.between(first, third) == parts
    assert timedelta() <= clock.between(first, third) <= third - first
    assert clock.between(third, first) == -clock.between(first, third)


@given(calendars, instants, st.integers(1, 15))
def test_business_days_are_whole_and_rise(
    calendar: BusinessCalendar, at: datetime, days: int
) -> None:
    due = calendar.add_business_days(at, days)
    assert due > calendar.add_business_days(at, days - 1)
    last = (due - TICK).astimezone(calendar.zone).date()
    assert calendar.is_business_day(last) or str(calendar.zone) == "Pacific/Apia"
    first = at.astimezone(calendar.zone).date()
    counted = sum(
        calendar.is_business_day(first + timedelta(days=n + 1)) for n in range((last - first).days)
    )
    assert counted == days or str(calendar.zone) == "Pacific/Apia"


def test_opening_outside_hours_counts_from_the_next_morning() -> None:
    calendar = office()
    friday_evening = local("Europe/Berlin", 2026, 11, 20, 19)
    assert calendar.add(friday_evening, 4 * HOUR) == local("Europe/Berlin", 2026, 11, 23, 13)
    sunday = local("Europe/Berlin", 2026, 11, 22, 12)
    assert calendar.add(sunday, TICK) == local("Europe/Berlin", 2026, 11, 23, 9) + TICK
    assert calendar.add(sunday, timedelta()) == sunday


def test_a_deadline_lies_at_the_closing_and_not_at_the_next_opening() -> None:
    calendar = office()
    assert calendar.add(local("Europe/Berlin", 2026, 11, 20, 13), 4 * HOUR) == local(
        "Europe/Berlin", 2026, 11, 20, 17
    )


def test_holidays_back_to_back_are_all_left_out() -> None:
    calendar = office("Europe/Berlin", date(2026, 12, 24), date(2026, 12, 25), date(2026, 12, 28))
    start = local("Europe/Berlin", 2026, 12, 23, 16)
    assert calendar.add(start, 2 * HOUR) == local("Europe/Berlin", 2026, 12, 29, 10)
    assert calendar.add_business_days(start, 1) == local("Europe/Berlin", 2026, 12, 30)


def test_a_night_shift_loses_the_hour_that_spring_skips_and_gains_the_one_that_autumn_repeats() -> (
    None
):
    night = office("America/New_York", hours=Opening(time(22), time(6)), days=range(7))
    spring = local("America/New_York", 2026, 3, 7, 22)
    assert night.between(spring, spring + 12 * HOUR) == 7 * HOUR
    assert night.add(spring, 7 * HOUR) == local("America/New_York", 2026, 3, 8, 6)
    autumn = local("America/New_York", 2026, 10, 31, 22)
    assert night.between(autumn, autumn + 12 * HOUR) == 9 * HOUR
    assert night.add(autumn, 9 * HOUR) == local("America/New_York", 2026, 11, 1, 6)


def test_an_opening_inside_a_gap_or_a_repeated_hour() -> None:
    early = office("Europe/Berlin", hours=Opening(time(2, 30), time(4)), days=range(7))
    jump = datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert early.between(jump - 6 * HOUR, jump + 6 * HOUR) == HOUR
    assert early.add(jump - 6 * HOUR, TICK) == jump + TICK
    skipped = office("Europe/Berlin", hours=Opening(time(2, 10), time(2, 50)), days=range(7))
    assert skipped.between(jump - 6 * HOUR, jump + 6 * HOUR) == timedelta()
    repeated = office("Europe/Berlin", hours=Opening(time(2), time(3)), days=range(7))
    back = datetime(2026, 10, 25, 0, tzinfo=UTC)
    assert repeated.between(back - 6 * HOUR, back + 6 * HOUR) == 2 * HOUR
    until_the_second = office("Europe/Berlin", hours=Opening(time(1), time(2, 30)), days=range(7))
    assert until_the_second.between(back - 6 * HOUR, back + 6 * HOUR) == 2.5 * HOUR


def test_a_day_that_never_was_is_not_open() -> None:
    apia = office("Pacific/Apia")
    thursday = local("Pacific/Apia", 2011, 12, 29, 16)
    assert apia.add(thursday, 2 * HOUR) == local("Pacific/Apia", 2012, 1, 2, 10)


def test_leap_days_are_days() -> None:
    calendar = office("Europe/Berlin", days=range(7))
    start = local("Europe/Berlin", 2028, 2, 28, 16)
    assert calendar.add(start, 2 * HOUR) == local("Europe/Berlin", 2028, 2, 29, 10)
    assert calendar.add(local("Europe/Berlin", 2027, 2, 28, 16), 2 * HOUR) == local(
        "Europe/Berlin", 2027, 3, 1, 10
    )


def test_both_sides_of_the_date_line_have_their_own_friday() -> None:
    instant = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)  # Saturday 12:30 there, Friday 11:30 here
    assert office("Pacific/Kiritimati").add(instant, HOUR) == local(
        "Pacific/Kiritimati", 2026, 11, 23, 10
    )
    assert office("Pacific/Pago_Pago").add(instant, HOUR) == instant + HOUR


def test_an_opening_over_midnight_belongs_to_the_day_it_starts_on() -> None:
    night = office("UTC", date(2026, 11, 20), hours=Opening(time(20), time(4)))
    thursday, friday = datetime(2026, 11, 19, 19, tzinfo=UTC), date(2026, 11, 20)
    assert night.between(thursday, thursday + 24 * HOUR) == 8 * HOUR
    assert not night.is_business_day(friday)
    assert night.add(thursday, 9 * HOUR) == datetime(2026, 11, 23, 21, tzinfo=UTC)


def test_openings_that_overlap_count_once() -> None:
    both = (Opening(time(12), time(17)), NINE_TO_FIVE, Opening(time(16), time(18)))
    calendar = BusinessCalendar(ZoneInfo("UTC"), (both, *[()] * 6))
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    assert calendar.between(monday, monday + 24 * HOUR) == 9 * HOUR


def test_business_days_end_at_local_midnight_and_leave_out_the_day_itself() -> None:
    days = working_days(NEW_YORK)
    monday = local("America/New_York", 2026, 11, 23, 23, 30)
    assert days.add_business_days(monday, 0) == monday
    assert days.add_business_days(monday, 1) == local("America/New_York", 2026, 11, 25)
    assert days.add_business_days(monday, 5) == local("America/New_York", 2026, 12, 1)
    saturday = local("America/New_York", 2026, 11, 21, 8)
    assert days.add_business_days(saturday, 1) == local("America/New_York", 2026, 11, 24)


def test_all_day_and_every_day_is_the_wall_clock() -> None:
    calendar = BusinessCalendar(BERLIN, ((ALL_DAY,),) * 7)
    start = local("Europe/Berlin", 2026, 3, 28, 23)
    assert calendar.add(start, 10 * HOUR) == WALL_CLOCK.add(start, 10 * HOUR)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="one of them open"):
        BusinessCalendar(ZoneInfo("UTC"), ((),) * 7)
    with pytest.raises(ValueError, match="not taken away"):
        office().add(datetime(2026, 1, 1, tzinfo=UTC), -TICK)
    with pytest.raises(ValueError, match="not taken away"):
        office().add_business_days(datetime(2026, 1, 1, tzinfo=UTC), -1)
    with pytest.raises(OverflowError):
        office().add(datetime(9999, 12, 30, tzinfo=UTC), 40 * HOUR)

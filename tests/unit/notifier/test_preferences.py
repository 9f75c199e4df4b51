"""Preferences: escalations leave at once, nothing is lost, changes of the clock are survived."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dealreg_notifier.domain.preferences import (
    DEFAULT,
    ESCALATION,
    GROUPS,
    NOT,
    NOW,
    Digest,
    Preferences,
    QuietHours,
    group_of,
    is_quiet,
    next_time,
    sendings,
)
from dealreg_notifier.wording import Wording

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
ZONES = st.sampled_from(
    [BERLIN, NEW_YORK, "UTC", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu"]
)
HOUR = timedelta(hours=1)
CHANNELS = ["email", "slack", "teams"]
KINDS = [kind for kinds in GROUPS.values() for kind in kinds]
instants = st.integers(0, 3 * 366 * 24 * 3600).map(
    lambda seconds: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
times = st.times().map(lambda value: value.replace(second=0, microsecond=0))
quiet_hours = st.builds(QuietHours, ZONES, times, times).filter(lambda q: q.start != q.end)
preferences = st.builds(
    Preferences,
    channels=st.dictionaries(
        st.sampled_from([*KINDS, *GROUPS]), st.frozensets(st.sampled_from(CHANNELS))
    ),
    quiet_hours=st.none() | quiet_hours,
    digest=st.none()
    | st.builds(Digest, ZONES, times, st.frozensets(st.sampled_from(sorted(GROUPS)))),
)
reachable = st.sets(st.sampled_from(CHANNELS), min_size=1)


@given(preferences, reachable, instants)
def test_an_escalation_leaves_at_once_on_at_least_one_channel(
    wished: Preferences, channels: set[str], now: datetime
) -> None:
    for kind in (*GROUPS[ESCALATION], "a_kind_of_tomorrow"):
        assert NOW in sendings(kind, wished, channels, now).values()
        assert set(sendings(kind, wished, channels, now).values()) <= {NOW, NOT}


@given(st.sampled_from(KINDS), preferences, reachable, instants)
def test_what_waits_waits_until_an_instant_to_come_and_at_most_a_day_or_the_digest(
    kind: str, wished: Preferences, channels: set[str], now: datetime
) -> None:
    found = sendings(kind, wished, channels, now)
    assert found.keys() == channels
    for sending in found.values():
        if sending.how in ("at", "digest"):
            assert sending.at is not None
            assert now < sending.at <= now + timedelta(hours=49)
        else:
            assert sending.at is None


@given(quiet_hours, instants)
@example(QuietHours(BERLIN, time(22), time(2, 30)), datetime(2026, 10, 24, 23, 30, tzinfo=UTC))
@example(QuietHours(BERLIN, time(22), time(2, 30)), datetime(2026, 10, 25, 0, 45, tzinfo=UTC))
@example(QuietHours(BERLIN, time(22), time(2, 30)), datetime(2026, 10, 25, 1, 15, tzinfo=UTC))
@example(QuietHours(BERLIN, time(22), time(2, 30)), datetime(2026, 3, 29, 0, 15, tzinfo=UTC))
def test_what_is_held_back_by_quiet_hours_leaves_when_it_is_not_quiet(
    quiet: QuietHours, now: datetime
) -> None:
    sending = sendings("decision", Preferences(quiet_hours=quiet), ["email"], now)["email"]
    if not is_quiet(quiet, now):
        assert sending == NOW
        return
    assert sending.at is not None
    assert not is_quiet(quiet, sending.at)
    zone = ZoneInfo(quiet.zone)
    waited = [now, sending.at - timedelta(seconds=1)]
    waited += [now + timedelta(minutes=10) * step for step in range(150)]
    waited = [at for at in waited if now <= at < sending.at]
    if len({at.astimezone(zone).utcoffset() for at in (*waited, sending.at)}) == 1:
        assert all(is_quiet(quiet, at) for at in waited)
    else:  # an hour that the clock skips counts as that much later
        assert sum(not is_quiet(quiet, at) for at in waited) * timedelta(minutes=10) <= HOUR


def test_an_hour_that_comes_twice_is_quiet_twice() -> None:
    wished = Preferences(quiet_hours=QuietHours(BERLIN, time(22), time(2, 30)))
    second = datetime(2026, 10, 25, 1, 15, tzinfo=UTC)
    end = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert sendings("decision", wished, ["email"], second)["email"].at == end


@pytest.mark.parametrize(
    ("now", "quiet"),
    [
        ("2026-03-02T20:59:59+00:00", False),
        ("2026-03-02T21:00:00+00:00", True),
        ("2026-03-03T05:59:59+00:00", True),
        ("2026-03-03T06:00:00+00:00", False),
    ],
)
def test_quiet_hours_are_half_open_and_run_over_midnight(now: str, quiet: bool) -> None:
    hours = QuietHours(BERLIN, time(22), time(7))
    assert is_quiet(hours, datetime.fromisoformat(now)) is quiet


def test_a_digest_is_at_its_time_on_the_readers_clock_in_winter_and_in_summer() -> None:
    winter, summer = datetime(2026, 3, 27, 12, tzinfo=UTC), datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert next_time(time(8), BERLIN, winter) == datetime(2026, 3, 28, 7, tzinfo=UTC)
    assert next_time(time(8), BERLIN, summer) == datetime(2026, 3, 29, 6, tzinfo=UTC)


@given(times, ZONES, instants)
def test_the_next_time_is_shown_by_the_clock_unless_the_clock_skips_it(
    at: time, zone: str, now: datetime
) -> None:
    found = next_time(at, zone, now)
    shown = found.astimezone(ZoneInfo(zone))
    assert found > now
    assert shown.time() == at or not _exists(at, shown)


def _exists(at: time, near: datetime) -> bool:
    local = datetime.combine(near.date(), at, tzinfo=near.tzinfo)
    return local.astimezone(UTC).astimezone(near.tzinfo).time() == at


def test_a_kind_of_its_own_goes_before_its_group() -> None:
    wished = Preferences(
        channels={"case": frozenset({"email"}), "case_closed": frozenset({"slack"})}
    )
    now = datetime(2026, 3, 2, tzinfo=UTC)
    assert sendings("case_open", wished, CHANNELS, now)["email"] == NOW
    assert sendings("case_open", wished, CHANNELS, now)["slack"] == NOT
    assert sendings("case_closed", wished, CHANNELS, now)["slack"] == NOW
    assert sendings("case_closed", wished, CHANNELS, now)["email"] == NOT


@given(st.sampled_from(KINDS), preferences, reachable, instants, st.integers(1, 100_000))
def test_who_must_act_in_time_is_told_in_time(
    kind: str, wished: Preferences, channels: set[str], now: datetime, seconds: int
) -> None:
    act_by = now + timedelta(seconds=seconds)
    for sending in sendings(kind, wished, channels, now, act_by).values():
        assert sending.at is None or now < sending.at < act_by


def test_what_must_be_answered_tonight_does_not_wait_for_the_morning() -> None:
    quiet = Preferences(quiet_hours=QuietHours(BERLIN, time(20), time(8)))
    now = datetime(2026, 3, 2, 21, tzinfo=UTC)
    morning = datetime(2026, 3, 3, 7, tzinfo=UTC)
    assert sendings("case_asked", quiet, ["email"], now)["email"].at == morning
    assert sendings("case_asked", quiet, ["email"], now, morning)["email"] == NOW
    later = morning + timedelta(seconds=1)
    assert sendings("case_asked", quiet, ["email"], now, later)["email"].at == morning


def test_without_a_wish_every_channel_tells_at_once() -> None:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    assert set(sendings("plan_changes", DEFAULT, CHANNELS, now).values()) == {NOW}


def test_the_groups_name_only_kinds_that_can_be_told_and_each_once() -> None:
    assert len(KINDS) == len(set(KINDS))
    assert {group_of(kind) for kind in KINDS} == set(GROUPS)
    assert {group_of(kind) for kind in Wording("en").kinds()} <= set(GROUPS)

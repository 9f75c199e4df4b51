"""Times in words: right beside UTC, across a date line, and never rounded into a wrong minute."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealreg_notifier.domain.moments import moment, span

AT = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)


def test_utc_is_shown_once() -> None:
    assert moment(AT, UTC) == "21 Nov 2026 14:00 UTC"
    assert moment(AT, ZoneInfo("Europe/London")) == "21 Nov 2026 14:00 UTC"


def test_the_programmes_zone_stands_beside_utc() -> None:
    assert moment(AT, ZoneInfo("America/New_York")) == "21 Nov 2026 14:00 UTC (09:00 EST)"
    assert moment(datetime(2026, 7, 1, 14, 0, 5, tzinfo=UTC), ZoneInfo("America/New_York")) == (
        "1 Jul 2026 14:00:05 UTC (10:00:05 EDT)"
    )


def test_another_date_is_named() -> None:
    assert moment(AT, ZoneInfo("Australia/Sydney")) == (
        "21 Nov 2026 14:00 UTC (22 Nov 2026 01:00 AEDT)"
    )


def test_a_zone_without_a_name_shows_its_offset() -> None:
    assert moment(AT, ZoneInfo("America/Sao_Paulo")).endswith("(11:00 UTC-3)")
    assert moment(AT, ZoneInfo("Asia/Kathmandu")).endswith("(19:45 UTC+5:45)")
    assert moment(AT, timezone(timedelta(hours=-3, minutes=-30))).endswith("(10:30 UTC-03:30)")


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(), "0 s"),
        (timedelta(seconds=-5), "0 s"),
        (timedelta(seconds=59.9), "59 s"),
        (timedelta(hours=2, minutes=10, seconds=3), "2 h 10 min"),
        (timedelta(hours=4), "4 h"),
        (timedelta(days=1, minutes=2), "1 day"),
        (timedelta(days=2, hours=1), "2 days 1 h"),
    ],
)
def test_spans(length: timedelta, words: str) -> None:
    assert span(length) == words


@given(st.integers(0, 10**7))
def test_a_span_never_says_more_than_it_is(seconds: int) -> None:
    units = {"day": 86_400, "days": 86_400, "h": 3_600, "min": 60, "s": 1}
    parts = span(timedelta(seconds=seconds)).split()
    said = sum(
        int(count) * units[unit] for count, unit in zip(parts[::2], parts[1::2], strict=True)
    )
    assert said <= seconds
    assert seconds - said < max(3_600 if "day" in parts[1] else 60, 1)

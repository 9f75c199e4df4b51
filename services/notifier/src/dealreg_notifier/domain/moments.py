"""Instants and spans in words, for people. The zone is an argument; storage stays in UTC."""

from datetime import UTC, datetime, timedelta, tzinfo

NOTICEABLE = timedelta(seconds=60)
"""From here on, a notice says that it is late. Ticks come every second."""

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def moment(at: datetime, zone: tzinfo) -> str:
    """Such as ``21 Nov 2026 14:00 UTC (09:00 EST)``; the date again where it differs there.

    Seconds are shown only when there are any, so that nobody reads 14:00 for 14:00:59.
    """
    utc, local = at.astimezone(UTC), at.astimezone(zone)
    text = f"{_day(utc)} {_time(utc)} UTC"
    if local.utcoffset() == timedelta():
        return text
    day = "" if local.date() == utc.date() else f"{_day(local)} "
    return f"{text} ({day}{_time(local)} {_zone_name(local)})"


def span(length: timedelta) -> str:
    """The two largest units, such as ``1 day 2 h``, ``2 h 10 min`` or ``45 s``; never negative."""
    seconds = max(int(length.total_seconds()), 0)
    days, seconds = divmod(seconds, 86_400)
    hours, seconds = divmod(seconds, 3_600)
    minutes, seconds = divmod(seconds, 60)
    parts = [
        f"{days} day{'' if days == 1 else 's'}" if days else "",
        f"{hours} h" if hours else "",
        f"{minutes} min" if minutes else "",
        f"{seconds} s" if seconds else "",
    ]
    first = next((index for index, part in enumerate(parts) if part), None)
    if first is None:
        return "0 s"
    return " ".join(part for part in parts[first : first + 2] if part)


def _day(at: datetime) -> str:
    return f"{at.day} {MONTHS[at.month - 1]} {at.year}"


def _time(at: datetime) -> str:
    return f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"


def _zone_name(at: datetime) -> str:
    name = at.tzname() or ""
    if name and name[0].isalpha():
        return name
    offset = at.utcoffset() or timedelta()
    minutes = int(offset.total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{sign}{hours}" + (f":{rest:02}" if rest else "")

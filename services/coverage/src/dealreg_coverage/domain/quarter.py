"""Calendar quarters in UTC, counted so that they can be subtracted. Must not know today's date."""

from datetime import date, datetime


def quarter_of(moment: date | datetime) -> int:
    """Quarters since year 0: 2026 Q1 is 8104. Take a datetime in UTC."""
    return moment.year * 4 + (moment.month - 1) // 3


def quarter_name(quarter: int) -> str:
    """``2026 Q4``."""
    return f"{quarter // 4} Q{quarter % 4 + 1}"

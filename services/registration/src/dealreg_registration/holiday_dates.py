"""Public holidays as dates, from the ``holidays`` package; only where plans are checked and compiled.

Must not be asked at the time of a decision: another version of the package may know other holidays.
"""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache

import holidays

YEARS_BEFORE, YEARS_AFTER = 1, 20
"""Around the year in which a plan comes into force."""


@lru_cache(maxsize=1)
def holiday_places() -> Mapping[str, frozenset[str]]:
    """Country code -> ISO 3166-2 codes of its subdivisions with holidays of their own."""
    return {
        country: frozenset(f"{country}-{code}" for code in codes)
        for country, codes in holidays.list_supported_countries(include_aliases=False).items()
    }


def holiday_dates(place: str, year: int) -> frozenset[date]:
    """The public holidays of a country (``DE``) or a subdivision (``DE-BY``), for the years around
    ``year``. Raises NotImplementedError for a place that the package does not know."""
    country, _, subdivision = place.partition("-")
    years = range(max(year - YEARS_BEFORE, 1), min(year + YEARS_AFTER, 9999) + 1)
    return frozenset(holidays.country_holidays(country, subdiv=subdivision or None, years=years))

"""Country and subdivision codes that exist (ISO 3166-1 and 3166-2, from the pycountry package)."""

from functools import lru_cache
from typing import Annotated

import pycountry
from pydantic import AfterValidator, StringConstraints


@lru_cache(maxsize=1)
def countries() -> frozenset[str]:
    """All ISO 3166-1 alpha-2 codes."""
    return frozenset(country.alpha_2 for country in pycountry.countries)


@lru_cache(maxsize=1)
def subdivisions() -> frozenset[str]:
    """All ISO 3166-2 codes."""
    return frozenset(subdivision.code for subdivision in pycountry.subdivisions)


def _country(code: str) -> str:
    if code not in countries():
        raise ValueError("must be an ISO 3166-1 alpha-2 code that exists, such as US")
    return code


def _subdivision(code: str) -> str:
    if code not in subdivisions():
        raise ValueError("must be an ISO 3166-2 code that exists, such as US-CA")
    return code


CountryCode = Annotated[str, StringConstraints(max_length=2), AfterValidator(_country)]
SubdivisionCode = Annotated[str, StringConstraints(max_length=6), AfterValidator(_subdivision)]

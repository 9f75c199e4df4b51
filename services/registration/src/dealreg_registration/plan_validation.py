"""Is this text a plan that can be published? Shape and meaning together, every fault at once.

For the API, the command line and publishing alike. Must not read or write a database: people of earlier
plans are handed in.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

import pycountry

from dealreg_registration.countries import countries, subdivisions
from dealreg_registration.domain.plan_checks import abridged, check_plan
from dealreg_registration.domain.plan_fault import Fault
from dealreg_registration.domain.plan_tree import Known
from dealreg_registration.domains import registrable_domain
from dealreg_registration.holiday_dates import holiday_places
from dealreg_registration.plan_content import PART_BYTES, item_bytes
from dealreg_registration.plan_reading import LISTS, read_plan
from dealreg_shared.contracts.plan_document import PlanDocument, Policy


@dataclass(frozen=True, slots=True)
class PlanReport:
    """``document`` is there if and only if there are no faults; warnings do not matter for that."""

    document: PlanDocument | None
    faults: Sequence[Fault]
    warnings: Sequence[Fault]

    @property
    def publishable(self) -> bool:
        return self.document is not None


def validate_plan(
    raw: bytes | str, *, people: Collection[str] = (), erased: Collection[str] = ()
) -> PlanReport:
    """Check a plan, YAML or JSON. ``people`` are ids of persons whose name and address are on record,
    ``erased`` those of persons who were erased. Never raises for what stands in the text."""
    reading = read_plan(raw)
    found = abridged(reading.faults)
    if reading.tree:
        found += check_plan(
            reading.tree,
            _known(frozenset(people), frozenset(erased)),
            registrable_domain,
            reading.faulty,
        )
        found += abridged(_too_large(reading.tree))
    faults = [fault for fault in found if fault.severity == "fault"]
    warnings = [fault for fault in found if fault.severity == "warning"]
    return PlanReport(None if faults else reading.document, faults, warnings)


def _too_large(tree: Mapping[str, Any]) -> Iterator[Fault]:
    """Items that would not fit into one event."""
    for section in LISTS:
        items = tree.get(section)
        for index, item in enumerate(items if isinstance(items, list) else ()):
            if isinstance(item, dict) and item_bytes(item) > PART_BYTES // 2:
                yield Fault(
                    f"/{section}/{index}",
                    "item_too_large",
                    f"Item {index} of `{section}` is too large to be sent.",
                    f"at most {PART_BYTES // 2} bytes; split it",
                )


@lru_cache(maxsize=1)
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


@lru_cache(maxsize=1)
def _currencies() -> frozenset[str]:
    return frozenset(currency.alpha_3 for currency in pycountry.currencies)


def _known(people: frozenset[str], erased: frozenset[str]) -> Known:
    return Known(
        countries=countries(),
        subdivisions=subdivisions(),
        time_zones=_time_zones(),
        currencies=_currencies(),
        policy=Policy().model_dump(),
        people=people,
        erased=erased,
        holiday_places=holiday_places(),
    )

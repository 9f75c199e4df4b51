"""What is known of an account and of a deal, and how unknown facts are told from known ones.

Location, size and industry belong to the account: what staff or the CRM say, else what the first filer
said (rules.md, section 2). This module must not know plans, claims or storage.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, NamedTuple

Source = Literal["staff", "partner"]


class Band(NamedTuple):
    """A range of employees, or of yearly revenue in whole units of the programme's currency.

    Both ends included; ``high`` None is open.
    """

    low: int
    high: int | None

    def within(self, low: int | None, high: int | None) -> bool:
        """Whether every value of this band lies in ``low``..``high``."""
        above = low is None or self.low >= low
        below = high is None or (self.high is not None and self.high <= high)
        return above and below

    def meets(self, low: int | None, high: int | None) -> bool:
        """Whether some value of this band lies in ``low``..``high``."""
        above = low is None or self.high is None or self.high >= low
        below = high is None or self.low <= high
        return above and below


@dataclass(frozen=True, slots=True)
class Location:
    """``country`` is ISO 3166-1 alpha-2, ``subdivision`` ISO 3166-2; codes upper case."""

    country: str | None = None
    subdivision: str | None = None
    postal_code: str | None = None
    city: str | None = None

    def __bool__(self) -> bool:
        return self.country is not None

    @property
    def postal(self) -> str | None:
        """Country and postal code as territories write them, ``US:94105``; letters and digits only."""
        if self.country is None or self.postal_code is None:
            return None
        return f"{self.country}:{''.join(filter(str.isalnum, self.postal_code.upper()))}"


@dataclass(frozen=True, slots=True)
class Facts:
    """The account's facts. None is unknown."""

    country: str | None = None
    subdivision: str | None = None
    postal_code: str | None = None
    city: str | None = None
    employees: Band | None = None
    revenue: Band | None = None
    naics: str | None = None
    sic: str | None = None

    @property
    def location(self) -> Location:
        return Location(self.country, self.subdivision, self.postal_code, self.city)


FACT_NAMES = tuple(field.name for field in fields(Facts))
_PLACE = ("country", "subdivision", "postal_code", "city")


class Disagreement(NamedTuple):
    """A filer said otherwise than the account's record, which counts."""

    fact: str
    recorded: Any
    filed: Any


def first(filed: Facts, by: Source) -> tuple[Facts, dict[str, Source]]:
    """The facts of an account that nobody knew: what ``merge`` makes of none, at less cost."""
    return filed, {name: by for name in FACT_NAMES if getattr(filed, name) is not None}


def merge(
    recorded: Facts, filed: Facts, *, by: Source, sources: Mapping[str, Source]
) -> tuple[Facts, dict[str, Source], list[Disagreement]]:
    """The account's facts after someone has spoken.

    A partner fills in what is unknown and changes nothing that is known; staff correct what partners
    said. A place is taken as a whole: a filer that names another country, subdivision or postal code
    adds nothing to the recorded place. Returns the facts, who said each, and where the filer disagreed.
    """
    changed: dict[str, Any] = {}
    said = dict(sources)
    disagreements: list[Disagreement] = []
    abroad = _differ(recorded.country, filed.country)
    elsewhere = (
        abroad
        or _differ(recorded.subdivision, filed.subdivision)
        or _differ(recorded.location.postal, filed.location.postal)
    )
    for name in FACT_NAMES:
        new, old = getattr(filed, name), getattr(recorded, name)
        if new is None or new == old:
            continue
        if by == "staff":
            changed[name] = new
            said[name] = "staff"
        elif old is not None:
            disagreements.append(Disagreement(name, old, new))
        elif not (name in _PLACE and elsewhere):
            changed[name] = new
            said[name] = "partner"
    if by == "staff" and abroad:
        for name in _PLACE:
            if getattr(filed, name) is None:
                changed[name] = None
                said.pop(name, None)
    return replace(recorded, **changed), said, disagreements


def _differ(recorded: str | None, filed: str | None) -> bool:
    return recorded is not None and filed is not None and recorded != filed


def changed_facts(before: Facts, after: Facts) -> list[str]:
    """The names of the facts that became known, changed or were forgotten."""
    return [name for name in FACT_NAMES if getattr(before, name) != getattr(after, name)]


def to_json(facts: Facts) -> dict[str, Any]:
    """The facts that are known, as JSON values; a band is a pair."""
    known: dict[str, Any] = {}
    for name in FACT_NAMES:
        value = getattr(facts, name)
        if value is not None:
            known[name] = list(value) if isinstance(value, Band) else value
    return known


def from_json(known: Mapping[str, Any]) -> Facts:
    """Read what ``to_json`` wrote."""
    values = {name: known[name] for name in FACT_NAMES if name in known}
    for name in ("employees", "revenue"):
        if name in values:
            low, high = values[name]
            values[name] = Band(low, high)
    return Facts(**values)

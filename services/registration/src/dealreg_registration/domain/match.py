"""Which territories match a filing, best first.

A plan may hold 100,000 territories, so each is filed under its most selective dimension when the plan is
loaded, and a look-up touches only the buckets that the filing's own facts name: named account, postal
prefixes, city, industry prefixes within its place, and place x product line. What a look-up costs
follows the number of hits, not of territories.

An unknown fact matches only territories that do not ask for it (rules.md, section 2).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from dealreg_registration.domain.territory import Territory


@dataclass(frozen=True, slots=True)
class Target:
    """What territories are matched against. None is unknown; ``any_line`` matches every line."""

    named_id: str | None = None
    region: str | None = None
    country: str | None = None
    subdivision: str | None = None
    postal: str | None = None
    city: str | None = None
    segment: str | None = None
    naics: str | None = None
    sic: str | None = None
    product_line: str | None = None
    any_line: bool = False
    tags: frozenset[str] = frozenset()


class Specificity(NamedTuple):
    """Greater is more specific: account > longer postal prefix > city > subdivision > country > region,
    then longer industry prefix, then segment, product line, tag (rules.md, section 2, rule 3)."""

    place: int = 0
    postal_length: int = 0
    industry_length: int = 0
    segment: int = 0
    product_line: int = 0
    tag: int = 0


ACCOUNT, POSTAL, CITY, SUBDIVISION, COUNTRY, REGION = 6, 5, 4, 3, 2, 1


class Match(NamedTuple):
    territory: Territory
    specificity: Specificity


def match(territory: Territory, target: Target) -> Specificity | None:
    """How specifically a territory matches; None if it does not."""
    place = postal_length = 0
    if territory.regions:
        if target.region not in territory.regions:
            return None
        place = REGION
    if territory.countries:
        if target.country not in territory.countries:
            return None
        place = COUNTRY
    if territory.subdivisions:
        if target.subdivision not in territory.subdivisions:
            return None
        place = SUBDIVISION
    if territory.cities:
        if target.city not in territory.cities:
            return None
        place = CITY
    if territory.postal_prefixes:
        postal_length = _longest(territory.postal_prefixes, target.postal)
        if not postal_length:
            return None
        place = POSTAL
    if territory.accounts:
        if target.named_id not in territory.accounts:
            return None
        place = ACCOUNT
    if territory.segments and target.segment not in territory.segments:
        return None
    if (
        territory.product_lines
        and not target.any_line
        and target.product_line not in territory.product_lines
    ):
        return None
    industry_length = 0
    if territory.naics or territory.sic:
        industry_length = max(
            _longest(territory.naics, target.naics), _longest(territory.sic, target.sic)
        )
        if not industry_length:
            return None
    if territory.tags and territory.tags.isdisjoint(target.tags):
        return None
    return Specificity(
        place,
        postal_length,
        industry_length,
        bool(territory.segments),
        bool(territory.product_lines),
        bool(territory.tags),
    )


def _longest(prefixes: Iterable[str], value: str | None) -> int:
    if value is None:
        return 0
    return max((len(prefix) for prefix in prefixes if value.startswith(prefix)), default=0)


class TerritoryIndex:
    """All territories of a plan, filed for look-up. Immutable after construction."""

    def __init__(self, territories: Iterable[Territory]) -> None:
        self.by_id = {territory.id: territory for territory in territories}
        self._buckets: dict[tuple[str, ...], list[Territory]] = {}
        self._kinds: set[str] = set()
        self._asked: dict[tuple[str, str | None], int] = {}
        for territory in self.by_id.values():
            for key in _filed_under(territory):
                self._buckets.setdefault(key, []).append(territory)
                self._kinds.add(key[0])
            for fact in _facts_asked(territory):
                for country in _countries(territory):
                    self._asked[fact, country] = self._asked.get((fact, country), 0) + 1
        self._postal_lengths = sorted(
            {len(key[1]) for key in self._buckets if key[0] == "postal"}, reverse=True
        )

    def __len__(self) -> int:
        return len(self.by_id)

    def find(self, target: Target) -> list[Match]:
        """Every territory that matches, most specific first, then by id."""
        found: dict[str, Match] = {}
        for key in self._keys(target):
            for territory in self._buckets.get(key, ()):
                if territory.id not in found:
                    specificity = match(territory, target)
                    if specificity is not None:
                        found[territory.id] = Match(territory, specificity)
        hits = list(found.values())
        if len(hits) > 1:
            hits.sort(key=lambda hit: hit.territory.id)
            hits.sort(key=lambda hit: hit.specificity, reverse=True)
        return hits

    def scan(self, target: Target) -> list[Match]:
        """The same answer by looking at every territory: what ``find`` is held against."""
        hits = [
            Match(territory, specificity)
            for territory in self.by_id.values()
            if (specificity := match(territory, target)) is not None
        ]
        hits.sort(key=lambda hit: hit.territory.id)
        hits.sort(key=lambda hit: hit.specificity, reverse=True)
        return hits

    def asking_for(self, fact: str, country: str | None) -> int:
        """How many territories that may lie in ``country`` ask for a fact."""
        everywhere = self._asked.get((fact, None), 0)
        if country is None:
            return sum(count for (name, _), count in self._asked.items() if name == fact)
        return everywhere + self._asked.get((fact, country), 0)

    def _keys(self, target: Target) -> Iterator[tuple[str, ...]]:
        kinds = self._kinds
        if "account" in kinds and target.named_id is not None:
            yield ("account", target.named_id)
        if "postal" in kinds and target.postal is not None:
            for length in self._postal_lengths:
                if length <= len(target.postal):
                    yield ("postal", target.postal[:length])
        if "city" in kinds and target.city is not None:
            yield ("city", target.city)
        places = [place for place in _places(target) if place is not None]
        if "naics" in kinds and target.naics is not None:
            for length in range(len(target.naics), 0, -1):
                for place in places:
                    yield ("naics", place, target.naics[:length])
        if "sic" in kinds and target.sic is not None:
            for length in range(len(target.sic), 0, -1):
                for place in places:
                    yield ("sic", place, target.sic[:length])
        if "place" in kinds:
            for place in places:
                yield ("place", place)
        if target.any_line:
            if "line" in kinds:
                for place in places:
                    yield ("lines", place)
        elif "line" in kinds and target.product_line is not None:
            for place in places:
                yield ("line", place, target.product_line)


def _places(target: Target) -> tuple[str | None, ...]:
    """The names under which a place can be filed, with prefixes that keep them apart."""
    return (
        target.subdivision and f"s:{target.subdivision}",
        target.country and f"c:{target.country}",
        target.region and f"r:{target.region}",
        "*",
    )


def _filed_under(territory: Territory) -> list[tuple[str, ...]]:
    """The buckets of a territory: those of its most selective dimension, one for each value."""
    if territory.accounts:
        return [("account", account) for account in sorted(territory.accounts)]
    if territory.postal_prefixes:
        return [("postal", prefix) for prefix in territory.postal_prefixes]
    if territory.cities:
        return [("city", city) for city in sorted(territory.cities)]
    if territory.subdivisions:
        places = [f"s:{code}" for code in sorted(territory.subdivisions)]
    elif territory.countries:
        places = [f"c:{code}" for code in sorted(territory.countries)]
    elif territory.regions:
        places = [f"r:{region}" for region in sorted(territory.regions)]
    else:
        places = ["*"]
    if territory.naics or territory.sic:
        return [
            (kind, place, prefix)
            for kind, prefixes in (("naics", territory.naics), ("sic", territory.sic))
            for prefix in prefixes
            for place in places
        ]
    if territory.product_lines:
        lines = [("line", place, line) for place in places for line in territory.product_lines]
        return [*lines, *(("lines", place) for place in places)]
    return [("place", place) for place in places]


def _facts_asked(territory: Territory) -> Iterator[str]:
    if territory.segments:
        yield "segment"
    if territory.subdivisions:
        yield "subdivision"
    if territory.postal_prefixes:
        yield "postal_code"
    if territory.cities:
        yield "city"
    if territory.naics or territory.sic:
        yield "industry"


def _countries(territory: Territory) -> set[str | None]:
    """The countries a territory is confined to by its own words; {None} if it is not."""
    if territory.countries:
        return set(territory.countries)
    coded = (*territory.subdivisions, *territory.postal_prefixes, *territory.cities)
    return {code[:2] for code in coded} or {None}


def in_segment(target: Target, segment: str, product_line: str) -> Target:
    """The same target if its segment were known, for one product line."""
    return replace(target, segment=segment, product_line=product_line, any_line=False)

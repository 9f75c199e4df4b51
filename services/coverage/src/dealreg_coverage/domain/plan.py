"""A plan as coverage sees it: immutable, made once per published plan by ``compiling``.

Money is in whole cents of the programme's currency. Must not know documents, storage or HTTP.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import NamedTuple


class MarketId(NamedTuple):
    """Region x segment. ``-`` stands for what is unknown, as in the events' market ids."""

    region: str
    segment: str

    def __str__(self) -> str:
        return f"{self.region}/{self.segment}"


@dataclass(frozen=True, slots=True)
class Site:
    country: str
    subdivision: str | None
    office: bool
    reps: int


@dataclass(frozen=True, slots=True)
class Partner:
    """``tier_rank`` 1 is the highest."""

    id: str
    name: str
    tier_rank: int
    sites: tuple[Site, ...] = ()
    segments: frozenset[str] = frozenset()
    certified: frozenset[str] = frozenset()
    priority_markets: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Region:
    id: str
    name: str
    countries: frozenset[str] = frozenset()
    subdivisions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Segment:
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """``partner_id`` None is direct. ``valid_to`` is the first day without it."""

    id: str
    partner_id: str | None
    primary: bool
    exclusive: bool
    valid_from: date | None = None
    valid_to: date | None = None

    def in_force(self, day: date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_to is None or day < self.valid_to
        )


@dataclass(frozen=True, slots=True)
class Territory:
    """An empty dimension matches all. Postal prefixes and cities begin with ``CC:``."""

    id: str
    regions: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()
    subdivisions: frozenset[str] = frozenset()
    postal_prefixes: frozenset[str] = frozenset()
    cities: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    naics: frozenset[str] = frozenset()
    sic: frozenset[str] = frozenset()
    product_lines: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    overlay: bool = False
    minimum_tier_rank: int | None = None
    assignments: tuple[Assignment, ...] = ()


@dataclass(frozen=True, slots=True)
class NamedAccount:
    """Where a named account lies, as far as the plan says."""

    id: str
    country: str | None
    subdivision: str | None


@dataclass(frozen=True, slots=True)
class RegionTarget:
    minimum: int
    maximum: int
    revenue_goal: int | None = None


@dataclass(frozen=True, slots=True)
class SegmentTarget:
    """``share`` is the per cent of a region's partners that should sell to the segment."""

    share: int
    deal_size: int | None = None


@dataclass(frozen=True, slots=True)
class Weights:
    """Of the four factors; any whole numbers, 30, 30, 20, 20 unless the plan says otherwise."""

    presence: int = 30
    capability: int = 30
    track_record: int = 20
    commitment: int = 20


@dataclass(frozen=True)
class Plan:
    """One published plan."""

    number: int
    in_force_from: datetime
    content_hash: str
    currency: str
    regions: Sequence[Region]
    segments: Sequence[Segment]
    product_lines: tuple[str, ...]
    partners: Mapping[str, Partner]
    territories: Sequence[Territory]
    named_accounts: Mapping[str, NamedAccount] = field(default_factory=dict)
    region_targets: Mapping[str, RegionTarget] = field(default_factory=dict)
    segment_targets: Mapping[str, SegmentTarget] = field(default_factory=dict)
    potentials: Mapping[MarketId, int] = field(default_factory=dict)
    score_target: int = 800
    """In tenths of a per cent."""
    weights: Weights = Weights()

    @cached_property
    def markets(self) -> tuple[MarketId, ...]:
        """Every region x every segment, in the plan's order."""
        return tuple(MarketId(r.id, s.id) for r in self.regions for s in self.segments)

    @cached_property
    def region_by_id(self) -> Mapping[str, Region]:
        return {region.id: region for region in self.regions}

    @cached_property
    def segment_by_id(self) -> Mapping[str, Segment]:
        return {segment.id: segment for segment in self.segments}

    @cached_property
    def _region_of_country(self) -> Mapping[str, str]:
        return {code: region.id for region in self.regions for code in region.countries}

    @cached_property
    def _region_of_subdivision(self) -> Mapping[str, str]:
        return {code: region.id for region in self.regions for code in region.subdivisions}

    @cached_property
    def _regions_in_country(self) -> Mapping[str, frozenset[str]]:
        found: dict[str, set[str]] = {}
        for region in self.regions:
            for code in (*region.countries, *(code[:2] for code in region.subdivisions)):
                found.setdefault(code, set()).add(region.id)
        return {code: frozenset(ids) for code, ids in found.items()}

    @cached_property
    def _boundaries(self) -> Sequence[date]:
        """Days on which an assignment begins or ends, in order."""
        assignments = [a for territory in self.territories for a in territory.assignments]
        days = {day for a in assignments for day in (a.valid_from, a.valid_to)}
        return sorted(day for day in days if day is not None)

    def period(self, day: date) -> date:
        """The day since which the assignments in force are those of ``day``."""
        index = bisect_right(self._boundaries, day)
        return self._boundaries[index - 1] if index else date.min

    def region_of(self, country: str | None, subdivision: str | None) -> str | None:
        """The one region of a place; None if it is unknown or outside every region."""
        if subdivision is not None and subdivision in self._region_of_subdivision:
            return self._region_of_subdivision[subdivision]
        return None if country is None else self._region_of_country.get(country)

    def regions_in(self, country: str) -> frozenset[str]:
        """Every region that has a share in a country."""
        return self._regions_in_country.get(country, frozenset())

    def market_name(self, market: MarketId) -> str:
        """``EMEA Mid-market``."""
        region = self.region_by_id.get(market.region)
        segment = self.segment_by_id.get(market.segment)
        return (
            f"{region.name if region else market.region} "
            f"{segment.name if segment else market.segment}"
        )

    def partner_name(self, partner_id: str) -> str:
        partner = self.partners.get(partner_id)
        return partner.name if partner else partner_id

    def headcount(self, market: MarketId) -> int:
        """How many partners a market should have: the region's maximum x the segment's share,
        half up. 0 where the plan sets no target."""
        region = self.region_targets.get(market.region)
        segment = self.segment_targets.get(market.segment)
        if region is None or segment is None:
            return 0
        return (2 * region.maximum * segment.share + 100) // 200

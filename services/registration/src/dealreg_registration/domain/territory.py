"""Territories and assignments, as the matching index and the decision see them."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Assignment:
    """Partner or direct x territory; ``valid_to`` is the first day without it."""

    id: str
    territory_id: str
    partner_id: str | None
    direct_id: str | None
    primary: bool
    exclusive: bool
    valid_from: date | None = None
    valid_to: date | None = None
    goal: Decimal | None = None

    def in_force(self, day: date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_to is None or day < self.valid_to
        )


@dataclass(frozen=True, slots=True)
class Territory:
    """An empty dimension matches all. ``cities`` are ``CC:casefolded name``."""

    id: str
    name: str
    regions: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()
    subdivisions: frozenset[str] = frozenset()
    postal_prefixes: tuple[str, ...] = ()
    cities: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    naics: tuple[str, ...] = ()
    sic: tuple[str, ...] = ()
    product_lines: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    overlay: bool = False
    minimum_tier_rank: int | None = None
    assignments: tuple[Assignment, ...] = ()

    @property
    def kind(self) -> str:
        """geographic, segment, vertical, product, account or hybrid, by the dimensions used."""
        used = [
            kind
            for kind, dimensions in (
                (
                    "geographic",
                    (
                        self.regions,
                        self.countries,
                        self.subdivisions,
                        self.postal_prefixes,
                        self.cities,
                    ),
                ),
                ("segment", (self.segments,)),
                ("vertical", (self.naics, self.sic)),
                ("product", (self.product_lines,)),
                ("account", (self.accounts,)),
            )
            if any(dimensions)
        ]
        return used[0] if len(used) == 1 else "hybrid"

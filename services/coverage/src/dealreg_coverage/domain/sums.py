"""What is kept of the past: sums per cell and quarter, nothing per deal.

Adding is commutative, so the order in which events of different accounts arrive cannot matter. Values
are in whole cents of the programme's currency.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

RECENT = 5
"""How many events of a kind a cell remembers, the latest, to show as facts."""

LARGEST_DEAL = 10**15
"""In cents. A larger deal counts as this one, so that no typing error can overflow a sum."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Counts are claims (filed, superseded, lapsed) or deals (won, lost)."""

    filed: int = 0
    superseded: int = 0
    lapsed: int = 0
    won: int = 0
    lost: int = 0
    won_value: int = 0
    lost_value: int = 0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Sums)))


Recent = Mapping[str, tuple[tuple[str, str], ...]]
"""Kind (filed, lapsed, won, lost) -> (instant, event id), latest first."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A partner's history in a market, by quarter."""

    quarters: Mapping[int, Sums] = field(default_factory=dict)
    recent: Recent = field(default_factory=dict)

    def over(self, first: int, last: int) -> Sums:
        """All quarters from ``first`` to ``last``, both included."""
        total = Sums()
        for quarter, sums in self.quarters.items():
            if first <= quarter <= last:
                total += sums
        return total


def remember(
    recent: Recent, kind: str, instant: str, event_id: str
) -> dict[str, tuple[tuple[str, str], ...]]:
    """The latest ``RECENT`` events of each kind with one more; the order of calls does not matter."""
    entries = {*recent.get(kind, ()), (instant, event_id)}
    return {**recent, kind: tuple(sorted(entries, reverse=True)[:RECENT])}


def cents(amount: Decimal) -> int:
    """A decimal amount in whole cents, half up, at most ``LARGEST_DEAL`` either way."""
    bounded = max(min(amount, Decimal(LARGEST_DEAL)), Decimal(-LARGEST_DEAL))
    whole = int((bounded * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    return max(min(whole, LARGEST_DEAL), -LARGEST_DEAL)


def event_ids(recent: Recent, kinds: Iterable[str]) -> tuple[str, ...]:
    """The remembered events of some kinds, latest first."""
    entries = {entry for kind in kinds for entry in recent.get(kind, ())}
    return tuple(event_id for _, event_id in sorted(entries, reverse=True))


@dataclass(frozen=True, slots=True)
class HandSet:
    """A factor that staff set. ``until`` is the first day without it; ``value`` in hundredths."""

    value: int
    reason: str
    set_by: str
    set_at: datetime
    until_day: str
    version: int

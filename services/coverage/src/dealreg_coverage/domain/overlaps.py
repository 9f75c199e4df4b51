"""Where partners get into each other's way, how much, and which rule would part them.

Two covering partners overlap in a market when one claim can match territories of both. Overlays are
meant to overlap and are left out (rules.md, section 1).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from dealreg_coverage.domain.covering import Cover
from dealreg_coverage.domain.plan import MarketId, Plan, Territory
from dealreg_coverage.domain.rounding import per_cent
from dealreg_coverage.domain.score import Score

Risk = Literal["Low", "Medium", "High"]

HIGH_MEETINGS = 5
"""Overlap cases in four quarters that make the risk high by themselves."""

NAMED = 4
"""Partners that a proposed rule names, the best first."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """``meetings``: overlap cases opened there in this quarter and the three before it."""

    market: MarketId
    risk: Risk
    partners: tuple[str, ...]
    pairs: int
    meetings: int
    reason: str
    rule: str


def overlap_of(
    plan: Plan, market: MarketId, scores: Sequence[Score], lines: Sequence[str], meetings: int
) -> Overlap | None:
    """The overlap of a market; None with fewer than two covering partners."""
    covering = [entry for entry in scores if entry.counts]
    if len(covering) < 2:
        return None
    meeting = [(a, b) for a, b in combinations(covering, 2) if _may_meet(a.cover, b.cover)]
    rivals = any(a.cover.primary and b.cover.primary for a, b in meeting)
    risk: Risk
    if meetings >= HIGH_MEETINGS or (meetings >= 2 and rivals):
        risk = "High"
    elif meetings or rivals:
        risk = "Medium"
    else:
        risk = "Low"
    ordered = sorted(covering, key=lambda entry: (-entry.tenths, entry.partner_id))
    reason = (
        f"{len(covering)} covering partners, {len(meeting)} pair(s) that can claim the same deal"
        f"{', two primaries among them' if rivals else ''}; {meetings} overlap case(s) in a year"
    )
    return Overlap(
        market,
        risk,
        tuple(entry.partner_id for entry in ordered),
        len(meeting),
        meetings,
        reason,
        _rule(plan, market, ordered, lines, bool(meeting), rivals),
    )


def _rule(
    plan: Plan,
    market: MarketId,
    ordered: Sequence[Score],
    lines: Sequence[str],
    meet: bool,
    rivals: bool,
) -> str:
    if not meet:
        return "Keep it as it is: their territories are already apart."
    first = ordered[:NAMED]
    by_line = _own(first, lambda entry: plan.partners[entry.partner_id].certified & set(lines))
    if by_line is not None:
        return "Split by product line: " + _say(plan, by_line) + "; the rest first to register."
    by_place = _own(first, lambda entry: _places(plan, entry.partner_id, market.region))
    if by_place is not None:
        return "Split by place: " + _say(plan, by_place) + "; the rest first to register."
    best = first[0]
    name = plan.partner_name(best.partner_id)
    if not rivals:
        return f"Keep primary and secondary; first to register decides. Best score: {name}."
    return (
        f"Make {name} primary (score {per_cent(best.tenths)}) and the others secondary; "
        "first to register decides a deal."
    )


def _own(
    entries: Sequence[Score], of: Callable[[Score], Iterable[str]]
) -> dict[str, list[str]] | None:
    """What each partner alone has, if every one of them has something of its own."""
    values: dict[str, frozenset[str]] = {
        entry.partner_id: frozenset(of(entry)) for entry in entries
    }
    own: dict[str, list[str]] = {}
    for partner, held in values.items():
        others: frozenset[str] = frozenset().union(*(v for p, v in values.items() if p != partner))
        if not held - others:
            return None
        own[partner] = sorted(held - others)
    return own


def _places(plan: Plan, partner_id: str, region: str) -> set[str]:
    return {
        site.subdivision or site.country
        for site in plan.partners[partner_id].sites
        if (site.office or site.reps) and plan.region_of(site.country, site.subdivision) == region
    }


def _say(plan: Plan, own: dict[str, list[str]]) -> str:
    return ", ".join(
        f"{plan.partner_name(partner)} takes {' and '.join(values)}"
        for partner, values in own.items()
    )


def _may_meet(one: Cover, other: Cover) -> bool:
    return any(_territories_meet(a.territory, b.territory) for a in one.posts for b in other.posts)


def _territories_meet(one: Territory, other: Territory) -> bool:
    """Whether one claim can match both, as far as their dimensions tell."""
    if (
        one.product_lines
        and other.product_lines
        and one.product_lines.isdisjoint(other.product_lines)
    ):
        return False
    for first, second, others in (
        (one.naics, other.naics, (one.sic, other.sic)),
        (one.sic, other.sic, (one.naics, other.naics)),
    ):
        if first and second and not any(others) and not _prefixes_meet(first, second):
            return False
    return _places_meet(_place(one), _place(other))


Place = tuple[Literal["postal", "city", "area", "any"], frozenset[str]]


def _place(territory: Territory) -> Place:
    """The finest place dimension of a territory below its regions."""
    if territory.postal_prefixes:
        return "postal", territory.postal_prefixes
    if territory.cities:
        return "city", territory.cities
    codes = territory.subdivisions or territory.countries
    return ("area", codes) if codes else ("any", frozenset())


def _places_meet(one: Place, other: Place) -> bool:
    (kind, codes), (other_kind, other_codes) = one, other
    if "any" in (kind, other_kind):
        return True
    if kind != other_kind:
        return not {code[:2] for code in codes}.isdisjoint(code[:2] for code in other_codes)
    if kind == "postal":
        return _prefixes_meet(codes, other_codes)
    if kind == "city":
        return not codes.isdisjoint(other_codes)
    return any(a in (b, b[:2]) or b == a[:2] for a in codes for b in other_codes)


def _prefixes_meet(one: frozenset[str], other: frozenset[str]) -> bool:
    """Two prefixes meet if one begins with the other."""
    return any(a.startswith(b) or b.startswith(a) for a in one for b in other)

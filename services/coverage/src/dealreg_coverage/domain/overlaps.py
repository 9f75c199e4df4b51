"""Where partners get into each other's way, how much, and which rule would part them.

Two covering partners overlap in a market when one claim can match territories of both. Overlays are
meant to overlap and are left out (rules.md, section 1).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from dealreg_coverage.domain.meeting import meeting_pairs
from dealreg_coverage.domain.plan import MarketId, Plan
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
    pairs = meeting_pairs(entry.cover for entry in covering)
    primary = {entry.partner_id for entry in covering if entry.cover.primary}
    rivals = any(one in primary and other in primary for one, other in pairs)
    risk: Risk
    if meetings >= HIGH_MEETINGS or (meetings >= 2 and rivals):
        risk = "High"
    elif meetings or rivals:
        risk = "Medium"
    else:
        risk = "Low"
    ordered = sorted(covering, key=lambda entry: (-entry.tenths, entry.partner_id))
    reason = (
        f"{len(covering)} covering partners, {len(pairs)} pair(s) that can claim the same deal"
        f"{', two primaries among them' if rivals else ''}; {meetings} overlap case(s) in a year"
    )
    return Overlap(
        market,
        risk,
        tuple(entry.partner_id for entry in ordered),
        len(pairs),
        meetings,
        reason,
        _rule(plan, market, ordered, lines, bool(pairs), rivals),
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

"""Everything that coverage says about an instant, from plan, sums and hand-set factors.

One function for one market (what an event touches) and one for all of them (reads, ticks, rebuild): the
second is the first over the plan's markets, so both say the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dealreg_coverage.domain.covering import Post, covers_of, lines_of
from dealreg_coverage.domain.factors import Prior
from dealreg_coverage.domain.gaps import Gap, gap_of
from dealreg_coverage.domain.overlaps import Overlap, overlap_of
from dealreg_coverage.domain.plan import MarketId, Plan
from dealreg_coverage.domain.score import Score, score
from dealreg_coverage.domain.sums import Cell, HandSet


@dataclass(frozen=True, slots=True)
class CellKey:
    partner_id: str
    market: MarketId


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored, as far as the markets looked at need it."""

    prior: Prior
    suspended: frozenset[str] = frozenset()
    cells: Mapping[CellKey, Cell] = field(default_factory=dict)
    hand_set: Mapping[CellKey, Mapping[str, HandSet]] = field(default_factory=dict)
    meetings: Mapping[MarketId, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MarketPicture:
    """``scores`` by partner id, overlays and single accounts among them."""

    market: MarketId
    scores: tuple[Score, ...]
    lines: tuple[str, ...]
    gap: Gap | None


def market_picture(
    plan: Plan, market: MarketId, posts: Sequence[Post], known: Known, at: datetime
) -> MarketPicture:
    """One market at an instant. A market outside the plan has neither scores nor a gap."""
    if market.region not in plan.region_by_id or market.segment not in plan.segment_by_id:
        return MarketPicture(market, (), (), None)

    def active(partner: str) -> bool:
        return partner not in known.suspended

    lines = lines_of(plan, posts)
    scores = tuple(
        score(
            plan,
            market,
            cover,
            lines,
            known.cells.get(CellKey(cover.partner_id, market), Cell()),
            known.prior,
            known.hand_set.get(CellKey(cover.partner_id, market), {}),
            at.date(),
        )
        for cover in covers_of(posts, active)
    )
    return MarketPicture(market, scores, lines, gap_of(plan, market, scores))


def picture(
    plan: Plan, posts: Mapping[MarketId, Sequence[Post]], known: Known, at: datetime
) -> dict[MarketId, MarketPicture]:
    """All markets of the plan at an instant."""
    return {
        market: market_picture(plan, market, posts.get(market, ()), known, at)
        for market in plan.markets
    }


def overlaps_in(
    plan: Plan, pictures: Mapping[MarketId, MarketPicture], known: Known
) -> list[Overlap]:
    """Markets with more than one covering partner, the riskiest first."""
    rank = {"High": 0, "Medium": 1, "Low": 2}
    found = [
        overlap
        for market, seen in pictures.items()
        if (
            overlap := overlap_of(
                plan, market, seen.scores, seen.lines, known.meetings.get(market, 0)
            )
        )
        is not None
    ]
    return sorted(found, key=lambda o: (rank[o.risk], -o.meetings, -o.pairs, o.market))

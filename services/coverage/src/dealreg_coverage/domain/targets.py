"""How many partners each region should have and has, and its segment mix and deal size against plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from dealreg_coverage.domain.plan import MarketId, Plan
from dealreg_coverage.domain.rounding import half_up
from dealreg_coverage.domain.score import Score
from dealreg_coverage.domain.sums import Sums


@dataclass(frozen=True, slots=True)
class SegmentLine:
    """Shares in whole per cent of the region's partners; deal sizes in cents, None if unknown."""

    segment: str
    planned_share: int | None
    share: int | None
    partners: int
    planned_deal_size: int | None
    deal_size: int | None


@dataclass(frozen=True, slots=True)
class RegionLine:
    """``have`` counts partners with a covering assignment, each once; ``overlay_only`` are partners with
    a score here who cover nothing of it. ``target`` is the planned maximum, ``gap`` what is missing."""

    region: str
    minimum: int | None
    maximum: int | None
    have: int
    overlay_only: int
    target: int | None
    gap: int
    revenue_goal: int | None
    won_value: int
    segments: tuple[SegmentLine, ...]


def targets(
    plan: Plan,
    scores: Mapping[MarketId, Sequence[Score]],
    closed: Mapping[MarketId, Sums],
) -> tuple[RegionLine, ...]:
    """Every region of the plan. ``closed`` are the sums of each market over the last four quarters, of
    all partners, assigned there or not."""
    return tuple(_region(plan, region.id, scores, closed) for region in plan.regions)


def _region(
    plan: Plan,
    region: str,
    scores: Mapping[MarketId, Sequence[Score]],
    closed: Mapping[MarketId, Sums],
) -> RegionLine:
    markets = [market for market in plan.markets if market.region == region]
    here = [entry for market in markets for entry in scores.get(market, ())]
    covering = {entry.partner_id for entry in here if entry.counts}
    others = {entry.partner_id for entry in here} - covering
    goal = plan.region_targets.get(region)
    return RegionLine(
        region,
        goal.minimum if goal else None,
        goal.maximum if goal else None,
        len(covering),
        len(others),
        goal.maximum if goal else None,
        max(0, goal.maximum - len(covering)) if goal else 0,
        goal.revenue_goal if goal else None,
        sum(sums.won_value for market, sums in closed.items() if market.region == region),
        tuple(_segment(plan, market, scores, closed, len(covering)) for market in markets),
    )


def _segment(
    plan: Plan,
    market: MarketId,
    scores: Mapping[MarketId, Sequence[Score]],
    closed: Mapping[MarketId, Sums],
    partners_of_region: int,
) -> SegmentLine:
    target = plan.segment_targets.get(market.segment)
    partners = len({entry.partner_id for entry in scores.get(market, ()) if entry.counts})
    sums = closed.get(market, Sums())
    return SegmentLine(
        market.segment,
        target.share if target else None,
        half_up(Fraction(100 * partners, partners_of_region)) if partners_of_region else None,
        partners,
        target.deal_size if target else None,
        half_up(Fraction(sums.won_value, sums.won)) if sums.won else None,
    )

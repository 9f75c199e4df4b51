"""Where the plan is not met: classes and order of gaps (rules.md, section 5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dealreg_coverage.domain.market import market_score
from dealreg_coverage.domain.plan import MarketId, Plan
from dealreg_coverage.domain.rounding import per_cent
from dealreg_coverage.domain.score import Score

GapClass = Literal["High", "Medium", "Low"]
Priority = Literal["P1", "P2", "P3"]

PRIORITY: Mapping[GapClass, Priority] = {"High": "P1", "Medium": "P2", "Low": "P3"}


@dataclass(frozen=True, slots=True)
class Gap:
    """``weight`` orders gaps within a class: potential (cents) x shortfall (thousandths)."""

    market: MarketId
    gap_class: GapClass
    score: int
    target: int
    have: int
    headcount: int
    potential: int
    weight: int
    reason: str

    @property
    def priority(self) -> Priority:
        return PRIORITY[self.gap_class]


def gap_of(plan: Plan, market: MarketId, scores: Sequence[Score]) -> Gap | None:
    """The gap of one market; None where the plan is met."""
    covering = [entry for entry in scores if entry.counts]
    value = market_score(entry.tenths for entry in covering)
    target, have, headcount = plan.score_target, len(covering), plan.headcount(market)
    potential = plan.potentials.get(market, 0)
    gap_class: GapClass
    if not covering:
        gap_class, shortfall, reason = "High", target, "no partner covers this market"
    elif value < target:
        gap_class, shortfall = "Medium", target - value
        reason = f"score {per_cent(value)} is below the target of {per_cent(target)}"
    elif have < headcount:
        gap_class, shortfall = "Low", 1000 * (headcount - have) // headcount
        reason = f"score is met, but {have} of {headcount} planned partners cover this market"
    else:
        return None
    return Gap(
        market, gap_class, value, target, have, headcount, potential, potential * shortfall, reason
    )


def in_order(gaps: Sequence[Gap]) -> list[Gap]:
    """P1 before P2 before P3; within a class by potential x shortfall, then by market id."""
    return sorted(gaps, key=lambda gap: (gap.priority, -gap.weight, gap.market))


def gap_regions(gaps: Sequence[Gap]) -> list[str]:
    """Regions with a P1 or a P2, by id."""
    return sorted({gap.market.region for gap in gaps if gap.priority in ("P1", "P2")})

"""A partner's score in a market: four factors, weighed. In tenths of a per cent, 100 to 1000."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from dealreg_coverage.domain.covering import Cover
from dealreg_coverage.domain.factors import (
    Factor,
    Prior,
    capability,
    commitment,
    presence,
    track_record,
)
from dealreg_coverage.domain.plan import MarketId, Plan, Weights
from dealreg_coverage.domain.rounding import half_up
from dealreg_coverage.domain.sums import Cell, HandSet


@dataclass(frozen=True, slots=True)
class ShownFactor:
    """What was computed and what somebody set by hand; the latter counts while it lasts."""

    computed: Factor
    hand_set: HandSet | None

    @property
    def value(self) -> int:
        return self.computed.value if self.hand_set is None else self.hand_set.value


@dataclass(frozen=True, slots=True)
class Score:
    """``tenths`` of a per cent: 850 is 85.0 %."""

    cover: Cover
    market: MarketId
    factors: tuple[ShownFactor, ...]
    tenths: int

    @property
    def partner_id(self) -> str:
        return self.cover.partner_id

    @property
    def counts(self) -> bool:
        """Whether it counts for the market: overlays and single accounts do not."""
        return self.cover.kind == "covering"


def weigh(weights: Weights, values: Mapping[str, int]) -> int:
    """10 x the weighted mean of factors in hundredths, half up: 10, 9, 7, 7 gives 850."""
    pairs = [
        (weights.presence, values["presence"]),
        (weights.capability, values["capability"]),
        (weights.track_record, values["track_record"]),
        (weights.commitment, values["commitment"]),
    ]
    total = sum(weight for weight, _ in pairs)
    return half_up(Fraction(sum(weight * value for weight, value in pairs), total))


def score(
    plan: Plan,
    market: MarketId,
    cover: Cover,
    lines: tuple[str, ...],
    cell: Cell,
    prior: Prior,
    hand_set: Mapping[str, HandSet],
    day: date,
) -> Score:
    """The score on a day. ``prior.quarter`` is the day's quarter."""
    partner = plan.partners[cover.partner_id]
    target = plan.segment_targets.get(market.segment)
    computed = (
        presence(plan, partner, market.region),
        capability(plan, partner, market, lines),
        track_record(cell, prior, target.deal_size if target else None),
        commitment(partner, market, cell, prior.quarter),
    )
    factors = tuple(
        ShownFactor(factor, _current(hand_set.get(factor.name), day)) for factor in computed
    )
    values = {factor.computed.name: factor.value for factor in factors}
    return Score(cover, market, factors, weigh(plan.weights, values))


def _current(hand_set: HandSet | None, day: date) -> HandSet | None:
    return hand_set if hand_set is not None and day.isoformat() < hand_set.until_day else None

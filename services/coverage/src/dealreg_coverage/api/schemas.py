"""Request and answer bodies. Per cents and factors are numbers with one or two decimals, made from
whole tenths and hundredths; money is a decimal string with its currency."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, Field

from dealreg_coverage.domain.covering import Kind
from dealreg_coverage.domain.factors import Fact
from dealreg_coverage.domain.gaps import Gap, GapClass, Priority
from dealreg_coverage.domain.market import Rollup
from dealreg_coverage.domain.overlaps import Overlap, Risk
from dealreg_coverage.domain.plan import Plan, Weights
from dealreg_coverage.domain.score import Score, ShownFactor
from dealreg_coverage.domain.sums import HandSet
from dealreg_shared.contracts.base import Money
from dealreg_shared.web.bodies import StrictBody

PerCent = Annotated[float, Field(description="Per cent, one decimal")]
Points = Annotated[float, Field(description="1 to 10, two decimals")]


def per_cent(tenths: int) -> float:
    return tenths / 10


def money(plan: Plan, cents: int) -> Money:
    return Money(amount=Decimal(cents).scaleb(-2), currency=plan.currency)


class HandSetBody(StrictBody):
    """A factor set by hand. ``until`` is the first day on which the computed value counts again."""

    value: Annotated[Decimal, Field(ge=1, le=10, decimal_places=2)]
    reason: Annotated[str, Field(min_length=3, max_length=500)]
    until: date


class HandSetOut(BaseModel):
    """``reason`` and ``set_by`` are for staff."""

    value: Points
    until: date
    set_at: datetime
    reason: str | None
    set_by: str | None

    @classmethod
    def of(cls, given: HandSet, *, staff: bool) -> "HandSetOut":
        return cls(
            value=given.value / 100,
            until=date.fromisoformat(given.until_day),
            set_at=given.set_at,
            reason=given.reason if staff else None,
            set_by=given.set_by if staff else None,
        )


class FactOut(BaseModel):
    text: str
    event_ids: list[str]

    @classmethod
    def of(cls, fact: Fact) -> "FactOut":
        return cls(text=fact.text, event_ids=list(fact.event_ids))


class FactorOut(BaseModel):
    """``value`` counts; it is ``computed`` unless somebody set another by hand."""

    name: str
    value: Points
    weight: Annotated[int, Field(description="Per cent of the score")]
    computed: Points
    formula: str
    facts: list[FactOut]
    hand_set: HandSetOut | None

    @classmethod
    def of(cls, shown: ShownFactor, weights: Weights, *, staff: bool) -> "FactorOut":
        by_hand = shown.hand_set
        return cls(
            name=shown.computed.name,
            value=shown.value / 100,
            weight=getattr(weights, shown.computed.name),
            computed=shown.computed.value / 100,
            formula=shown.computed.formula,
            facts=[FactOut.of(fact) for fact in shown.computed.facts],
            hand_set=None if by_hand is None else HandSetOut.of(by_hand, staff=staff),
        )


class ScoreOut(BaseModel):
    """``kind``: only ``covering`` counts for the market; overlays and single accounts do not."""

    market: str
    market_name: str
    kind: Kind
    primary: bool
    score: PerCent
    factors: list[FactorOut]

    @classmethod
    def of(cls, entry: Score, plan: Plan, *, staff: bool) -> "ScoreOut":
        return cls(
            market=str(entry.market),
            market_name=plan.market_name(entry.market),
            kind=entry.cover.kind,
            primary=entry.cover.primary,
            score=per_cent(entry.tenths),
            factors=[FactorOut.of(f, plan.weights, staff=staff) for f in entry.factors],
        )


class Dated(BaseModel):
    """Every answer says of when it is, and under which plan."""

    as_of: datetime
    plan_number: int


class PartnerScores(Dated):
    partner_id: str
    partner_name: str
    scores: list[ScoreOut]


class MatrixCell(BaseModel):
    score: PerCent
    kind: Kind


class MatrixRow(BaseModel):
    """``cells`` by market id; a market without an entry has no score."""

    partner_id: str
    partner_name: str
    active: bool
    cells: dict[str, MatrixCell]


class RollupOut(BaseModel):
    """``weighted``: market scores by potential. ``mean``: the plain mean of the partners' own means,
    with one decimal; ``mean_rounded``: the same, rounded once to whole per cent, a half up."""

    weighted: PerCent
    mean: PerCent | None
    mean_rounded: int | None

    @classmethod
    def of(cls, rollup: Rollup) -> "RollupOut":
        return cls(
            weighted=per_cent(rollup.weighted),
            mean=None if rollup.mean is None else per_cent(rollup.mean),
            mean_rounded=rollup.mean_per_cent,
        )


class Matrix(Dated):
    target: PerCent
    markets: list[str]
    rows: list[MatrixRow]
    programme: RollupOut


class Activity(BaseModel):
    """Of all partners, assigned or not, over this quarter and the three before it."""

    filed: int
    won: int
    lost: int
    won_value: Money


class MarketOut(BaseModel):
    market: str
    name: str
    score: PerCent
    mean: PerCent | None
    partners: int
    headcount: int
    potential: Money
    gap_class: GapClass | None
    activity: Activity


class RegionOut(BaseModel):
    region: str
    name: str
    score: RollupOut
    markets: list[MarketOut]
    unknown_segment: Activity


class Markets(Dated):
    target: PerCent
    regions: list[RegionOut]
    outside: Annotated[Activity, Field(description="Deals outside every region")]
    programme: RollupOut


class GapOut(BaseModel):
    market: str
    name: str
    gap_class: GapClass
    priority: Priority
    score: PerCent
    target: PerCent
    partners: int
    headcount: int
    potential: Money
    reason: str

    @classmethod
    def of(cls, gap: Gap, plan: Plan) -> "GapOut":
        return cls(
            market=str(gap.market),
            name=plan.market_name(gap.market),
            gap_class=gap.gap_class,
            priority=gap.priority,
            score=per_cent(gap.score),
            target=per_cent(gap.target),
            partners=gap.have,
            headcount=gap.headcount,
            potential=money(plan, gap.potential),
            reason=gap.reason,
        )


class Gaps(Dated):
    """The worst first."""

    gap_regions: list[str]
    items: list[GapOut]


class OverlapOut(BaseModel):
    market: str
    name: str
    risk: Risk
    partners: Annotated[list[str], Field(description="Covering partners, the best score first")]
    pairs: Annotated[int, Field(description="Pairs that can claim the same deal")]
    cases: Annotated[int, Field(description="Overlap cases in this quarter and the three before")]
    reason: str
    proposed_rule: str

    @classmethod
    def of(cls, overlap: Overlap, plan: Plan) -> "OverlapOut":
        return cls(
            market=str(overlap.market),
            name=plan.market_name(overlap.market),
            risk=overlap.risk,
            partners=list(overlap.partners),
            pairs=overlap.pairs,
            cases=overlap.meetings,
            reason=overlap.reason,
            proposed_rule=overlap.rule,
        )


class Overlaps(Dated):
    """The riskiest first."""

    items: list[OverlapOut]


class SegmentTargetOut(BaseModel):
    """Shares are per cent of the region's partners."""

    segment: str
    name: str
    planned_share: int | None
    share: int | None
    partners: int
    planned_deal_size: Money | None
    deal_size: Annotated[Money | None, Field(description="Mean of the deals won in four quarters")]


class RegionTargetOut(BaseModel):
    """``have``: partners with a covering assignment, each once. ``target`` is the planned maximum."""

    region: str
    name: str
    minimum: int | None
    maximum: int | None
    have: int
    overlay_only: int
    target: int | None
    gap: int
    revenue_goal: Money | None
    won_value: Money
    segments: list[SegmentTargetOut]


class Targets(Dated):
    items: list[RegionTargetOut]


class ActionOut(BaseModel):
    kind: str
    priority: str
    markets: Sequence[str]
    text: str


class Summary(Dated):
    """The page for a manager: where the programme stands and the five things that help most."""

    target: PerCent
    programme: RollupOut
    regions: dict[str, RollupOut]
    partners_assigned: int
    partners_active: int
    gaps: dict[Priority, int]
    gap_regions: list[str]
    top_gap: GapOut | None
    overlaps: dict[Risk, int]
    actions: list[ActionOut]


class FactorState(Dated):
    """One factor of one partner in one market; ``hand_set`` if somebody set it."""

    partner_id: str
    market: str
    factor: str
    hand_set: HandSetOut | None

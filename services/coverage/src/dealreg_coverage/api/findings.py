"""What staff should act on: gaps, overlaps, targets, and the summary with the five things to do."""

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Depends

from dealreg_coverage.api.schemas import (
    ActionOut,
    GapOut,
    Gaps,
    OverlapOut,
    Overlaps,
    RegionTargetOut,
    RollupOut,
    SegmentTargetOut,
    Summary,
    Targets,
    money,
    per_cent,
)
from dealreg_coverage.api.scores import READERS
from dealreg_coverage.domain.actions import top_actions
from dealreg_coverage.domain.gaps import gap_regions
from dealreg_coverage.domain.plan import Plan
from dealreg_coverage.domain.targets import RegionLine, targets
from dealreg_coverage.plans import PlanShelf
from dealreg_coverage.views import View, look
from dealreg_shared.auth import Authenticator, Principal
from dealreg_shared.contracts.base import Money
from dealreg_shared.db import Database


def router(database: Database, authenticator: Authenticator, shelf: PlanShelf) -> APIRouter:
    routes = APIRouter(prefix="/v1/coverage", tags=["findings"])
    Staff = Annotated[Principal, Depends(authenticator.require(*READERS))]

    @routes.get("/gaps", summary="Gaps, the worst first")
    async def gaps(_caller: Staff) -> Gaps:
        """Markets that fall short of the plan, the worst first."""
        return await database.read(lambda conn: _gaps(look(conn, shelf)))

    @routes.get("/overlaps", summary="Overlaps, with risk and a proposed rule")
    async def overlaps(_caller: Staff) -> Overlaps:
        """Markets with more than one covering partner, with risk and a proposed rule."""
        return await database.read(lambda conn: _overlaps(look(conn, shelf)))

    @routes.get("/targets", summary="Targets against what is there")
    async def read_targets(_caller: Staff) -> Targets:
        """Partners per region against plan, segment mix and deal size."""
        return await database.read(lambda conn: _targets(look(conn, shelf)))

    @routes.get("/summary", summary="Where the programme stands, and what to do first")
    async def summary(_caller: Staff) -> Summary:
        """Where the programme stands, and what to do first."""
        return await database.read(lambda conn: _summary(look(conn, shelf)))

    return routes


def _gaps(view: View) -> Gaps:
    return Gaps(
        as_of=view.at,
        plan_number=view.plan.number,
        gap_regions=gap_regions(view.gaps),
        items=[GapOut.of(gap, view.plan) for gap in view.gaps],
    )


def _overlaps(view: View) -> Overlaps:
    return Overlaps(
        as_of=view.at,
        plan_number=view.plan.number,
        items=[OverlapOut.of(overlap, view.plan) for overlap in view.overlaps],
    )


def _targets(view: View) -> Targets:
    return Targets(
        as_of=view.at,
        plan_number=view.plan.number,
        items=[_line(view.plan, line) for line in targets(view.plan, view.scores, view.closed)],
    )


def _line(plan: Plan, line: RegionLine) -> RegionTargetOut:
    return RegionTargetOut(
        region=line.region,
        name=plan.region_by_id[line.region].name,
        minimum=line.minimum,
        maximum=line.maximum,
        have=line.have,
        overlay_only=line.overlay_only,
        target=line.target,
        gap=line.gap,
        revenue_goal=_maybe(plan, line.revenue_goal),
        won_value=money(plan, line.won_value),
        segments=[
            SegmentTargetOut(
                segment=segment.segment,
                name=plan.segment_by_id[segment.segment].name,
                planned_share=segment.planned_share,
                share=segment.share,
                partners=segment.partners,
                planned_deal_size=_maybe(plan, segment.planned_deal_size),
                deal_size=_maybe(plan, segment.deal_size),
            )
            for segment in line.segments
        ],
    )


def _maybe(plan: Plan, cents: int | None) -> Money | None:
    return None if cents is None else money(plan, cents)


def _summary(view: View) -> Summary:
    plan, gaps, overlaps = view.plan, view.gaps, view.overlaps
    classes = Counter(gap.priority for gap in gaps)
    risks = Counter(overlap.risk for overlap in overlaps)
    assigned = {entry.partner_id for entries in view.scores.values() for entry in entries}
    return Summary(
        as_of=view.at,
        plan_number=plan.number,
        target=per_cent(plan.score_target),
        programme=RollupOut.of(view.programme),
        regions={region.id: RollupOut.of(view.region(region.id)) for region in plan.regions},
        partners_assigned=len(assigned),
        partners_active=len(plan.partners.keys() - view.known.suspended),
        gaps={"P1": classes["P1"], "P2": classes["P2"], "P3": classes["P3"]},
        gap_regions=gap_regions(gaps),
        top_gap=GapOut.of(gaps[0], plan) if gaps else None,
        overlaps={"High": risks["High"], "Medium": risks["Medium"], "Low": risks["Low"]},
        actions=[
            ActionOut(kind=a.kind, priority=a.priority, markets=a.markets, text=a.text)
            for a in top_actions(plan, gaps, overlaps, view.scores)
        ],
    )

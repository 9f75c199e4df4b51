"""Scores by partner and by market. A partner may read its own scores and nothing else."""

from fractions import Fraction
from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy import Connection

from dealreg_coverage.api.schemas import (
    Activity,
    MarketOut,
    Markets,
    Matrix,
    MatrixCell,
    MatrixRow,
    PartnerScores,
    RegionOut,
    RollupOut,
    ScoreOut,
    money,
    per_cent,
)
from dealreg_coverage.domain.errors import NoScores
from dealreg_coverage.domain.market import market_score
from dealreg_coverage.domain.plan import MarketId, Region
from dealreg_coverage.domain.rounding import half_up
from dealreg_coverage.domain.sums import Sums
from dealreg_coverage.plans import PlanShelf
from dealreg_coverage.views import View, look, scores_of
from dealreg_shared.auth import Authenticator, Principal
from dealreg_shared.contracts.people import Role
from dealreg_shared.db import Database

READERS: tuple[Role, ...] = ("partner_manager", "vp", "ceo", "reviewer", "admin", "auditor")


def router(database: Database, authenticator: Authenticator, shelf: PlanShelf) -> APIRouter:
    routes = APIRouter(prefix="/v1/coverage", tags=["scores"])
    Staff = Annotated[Principal, Depends(authenticator.require(*READERS))]
    Anyone = Annotated[Principal, Depends(authenticator.require())]

    @routes.get("/matrix", summary="Every partner's score in every market")
    async def matrix(_caller: Staff) -> Matrix:
        """Every partner's score in every market."""
        return await database.read(lambda conn: _matrix(look(conn, shelf)))

    @routes.get("/scores/{partner}", summary="One partner's scores, each explained")
    async def scores(partner: str, caller: Anyone) -> PartnerScores:
        """A partner's scores with their factors, formulas and facts."""

        def work(conn: Connection) -> PartnerScores:
            view = look(conn, shelf)
            if not caller.is_staff and caller.partner_id != partner:
                raise NoScores("no scores of such a partner")
            found = scores_of(view, partner)
            return PartnerScores(
                as_of=view.at,
                plan_number=view.plan.number,
                partner_id=partner,
                partner_name=view.plan.partner_name(partner),
                scores=[ScoreOut.of(s, view.plan, staff=caller.is_staff) for s in found],
            )

        return await database.read(work)

    @routes.get("/markets", summary="Scores of markets and regions")
    async def markets(_caller: Staff) -> Markets:
        """Every market's score and activity, by region, with region and programme scores."""
        return await database.read(lambda conn: _markets(look(conn, shelf)))

    return routes


def _matrix(view: View) -> Matrix:
    cells: dict[str, dict[str, MatrixCell]] = {}
    for market, entries in view.scores.items():
        for entry in entries:
            cells.setdefault(entry.partner_id, {})[str(market)] = MatrixCell(
                score=per_cent(entry.tenths), kind=entry.cover.kind
            )
    return Matrix(
        as_of=view.at,
        plan_number=view.plan.number,
        target=per_cent(view.plan.score_target),
        markets=[str(market) for market in view.plan.markets],
        rows=[
            MatrixRow(
                partner_id=partner.id,
                partner_name=partner.name,
                active=partner.id not in view.known.suspended,
                cells=cells.get(partner.id, {}),
            )
            for partner in view.plan.partners.values()
        ],
        programme=RollupOut.of(view.programme),
    )


def _markets(view: View) -> Markets:
    return Markets(
        as_of=view.at,
        plan_number=view.plan.number,
        target=per_cent(view.plan.score_target),
        regions=[_region(view, region) for region in view.plan.regions],
        outside=_activity(
            view,
            [market for market in view.closed if market.region not in view.plan.region_by_id],
        ),
        programme=RollupOut.of(view.programme),
    )


def _region(view: View, region: Region) -> RegionOut:
    known = view.plan.segment_by_id
    return RegionOut(
        region=region.id,
        name=region.name,
        score=RollupOut.of(view.region(region.id)),
        markets=[_market(view, m) for m in view.plan.markets if m.region == region.id],
        unknown_segment=_activity(
            view,
            [m for m in view.closed if m.region == region.id and m.segment not in known],
        ),
    )


def _market(view: View, market: MarketId) -> MarketOut:
    seen = view.markets[market]
    covering = [entry.tenths for entry in seen.scores if entry.counts]
    return MarketOut(
        market=str(market),
        name=view.plan.market_name(market),
        score=per_cent(market_score(covering)),
        mean=per_cent(half_up(Fraction(sum(covering), len(covering)))) if covering else None,
        partners=len(covering),
        headcount=view.plan.headcount(market),
        potential=money(view.plan, view.plan.potentials.get(market, 0)),
        gap_class=None if seen.gap is None else seen.gap.gap_class,
        activity=_activity(view, [market]),
    )


def _activity(view: View, markets: list[MarketId]) -> Activity:
    total = sum((view.closed.get(market, Sums()) for market in markets), Sums())
    return Activity(
        filed=total.filed,
        won=total.won,
        lost=total.lost,
        won_value=money(view.plan, total.won_value),
    )

"""What readers are shown: everything at one instant, under the plan then in force. Reads only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from dealreg_coverage import store
from dealreg_coverage.domain.errors import NoPlan, NoScores
from dealreg_coverage.domain.gaps import Gap, in_order
from dealreg_coverage.domain.market import Rollup, roll_up
from dealreg_coverage.domain.overlaps import Overlap
from dealreg_coverage.domain.picture import Known, MarketPicture, overlaps_in, picture
from dealreg_coverage.domain.plan import MarketId, Plan
from dealreg_coverage.domain.score import Score
from dealreg_coverage.domain.sums import Sums
from dealreg_coverage.plans import PlanShelf
from dealreg_shared.db import app_now


@dataclass(frozen=True, slots=True)
class View:
    """One look at everything. ``closed`` are each market's sums over four quarters."""

    plan: Plan
    at: datetime
    known: Known
    markets: Mapping[MarketId, MarketPicture]
    closed: Mapping[MarketId, Sums]

    @property
    def scores(self) -> dict[MarketId, tuple[Score, ...]]:
        return {market: seen.scores for market, seen in self.markets.items()}

    @property
    def gaps(self) -> list[Gap]:
        return in_order([seen.gap for seen in self.markets.values() if seen.gap is not None])

    @property
    def overlaps(self) -> list[Overlap]:
        return overlaps_in(self.plan, self.markets, self.known)

    @property
    def programme(self) -> Rollup:
        return roll_up(self.plan, self.plan.markets, self.scores)

    def region(self, region: str) -> Rollup:
        markets = [market for market in self.plan.markets if market.region == region]
        return roll_up(self.plan, markets, self.scores)


def look(conn: Connection, shelf: PlanShelf) -> View:
    """Raises ``NoPlan`` before the first plan is in force."""
    at = app_now(conn)
    plan = shelf.in_force(conn, at)
    if plan is None:
        raise NoPlan("no plan is in force yet")
    known = store.known(conn, at)
    markets = picture(plan, shelf.posts(plan, at.date()), known, at)
    return View(plan, at, known, markets, store.closed_deals(conn, at))


def scores_of(view: View, partner_id: str) -> list[Score]:
    """A partner's scores in the plan's order of markets; empty if it is assigned nowhere or inactive.

    Raises ``NoScores`` for a partner that the plan does not have.
    """
    if partner_id not in view.plan.partners:
        raise NoScores("no scores of such a partner")
    return [
        entry
        for seen in view.markets.values()
        for entry in seen.scores
        if entry.partner_id == partner_id
    ]

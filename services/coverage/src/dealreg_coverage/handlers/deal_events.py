"""What registration reports, added to one cell's sums, and that cell's market looked at again.

A deal counts in the market that it had when the event happened. Rejected and duplicate claims are no
activity; a withdrawal and an expiry let a claim lapse; revocations and closings by others do not.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from dealreg_coverage import plans, store
from dealreg_coverage.domain.picture import CellKey
from dealreg_coverage.domain.plan import MarketId
from dealreg_coverage.domain.quarter import quarter_of
from dealreg_coverage.domain.sums import Sums, cents
from dealreg_coverage.handlers.assess import assess_market
from dealreg_coverage.handlers.desk import Cause, Desk
from dealreg_shared.contracts.base import Market
from dealreg_shared.contracts.conflict import ConflictOpened
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.contracts.registration import (
    ClaimChanged,
    RegistrationCorrected,
    RegistrationEnded,
    RegistrationFact,
    RegistrationFiled,
)
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import app_now
from dealreg_shared.inbox import NotYet

NO_ACTIVITY = frozenset({"rejected", "duplicate"})


def filed(desk: Desk, conn: Connection, event: Event[RegistrationFiled]) -> None:
    """Also for added lines, which are new claims of the same deal."""
    accepted = sum(claim.outcome not in NO_ACTIVITY for claim in event.data.claims)
    _add(desk, conn, event, event.time, Sums(filed=accepted), "filed", "a claim was filed")


def won(desk: Desk, conn: Connection, event: Event[RegistrationEnded]) -> None:
    sums = Sums(won=1, won_value=cents(event.data.amount_base))
    _add(desk, conn, event, event.data.at, sums, "won", "a deal was won")


def lost(desk: Desk, conn: Connection, event: Event[RegistrationEnded]) -> None:
    sums = Sums(lost=1, lost_value=cents(event.data.amount_base))
    _add(desk, conn, event, event.data.at, sums, "lost", "a deal was lost")


def corrected(desk: Desk, conn: Connection, event: Event[RegistrationCorrected]) -> None:
    """The former result is taken out of its own quarter, the new one counts from the correction on."""
    fact, value = event.data, cents(event.data.amount_base)
    former = (
        Sums(won=-1, won_value=-value)
        if fact.from_result == "won"
        else Sums(lost=-1, lost_value=-value)
    )
    because = "a deal's result was corrected"
    _add(desk, conn, event, fact.from_result_at, former, "corrected", because)
    if fact.to_result == "won":
        _add(desk, conn, event, fact.at, Sums(won=1, won_value=value), "won", because)
    elif fact.to_result == "lost":
        _add(desk, conn, event, fact.at, Sums(lost=1, lost_value=value), "lost", because)


def withdrawn(desk: Desk, conn: Connection, event: Event[RegistrationEnded]) -> None:
    sums = Sums(lapsed=len(event.data.claims))
    _add(desk, conn, event, event.data.at, sums, "lapsed", "a deal was withdrawn")


def expired(desk: Desk, conn: Connection, event: Event[ClaimChanged]) -> None:
    _add(desk, conn, event, event.data.at, Sums(lapsed=1), "lapsed", "a protection ran out")


def claim_withdrawn(desk: Desk, conn: Connection, event: Event[ClaimChanged]) -> None:
    """A question about it was not answered in time."""
    _add(desk, conn, event, event.data.at, Sums(lapsed=1), "lapsed", "a claim counts as withdrawn")


def superseded(desk: Desk, conn: Connection, event: Event[ClaimChanged]) -> None:
    sums = Sums(superseded=1)
    _add(desk, conn, event, event.data.at, sums, "superseded", "a claim was filed again")


def conflict_opened(_desk: Desk, conn: Connection, event: Event[ConflictOpened]) -> None:
    """Only overlap cases tell that partners met; scores and gaps do not depend on them."""
    _need_plan(conn, event.data.plan_number)
    if event.data.kind == "overlap":
        store.one_writer(conn)
        store.add_meeting(conn, _market(event.data.market), event.data.opened_at)
        crashpoint("coverage.met")


def _add(
    desk: Desk,
    conn: Connection,
    event: Event[Any],
    at: datetime,
    sums: Sums,
    kind: str,
    because: str,
) -> None:
    fact: RegistrationFact = event.data
    _need_plan(conn, fact.plan_number)
    if sums == Sums():
        return
    store.one_writer(conn)
    market = _market(fact.market)
    store.add(conn, CellKey(fact.partner_id, market), at, sums, kind, str(event.id))
    crashpoint("coverage.summed")
    now = app_now(conn)
    if (sums.won or sums.lost) and quarter_of(at) < quarter_of(now):
        store.set_refreshed(conn, None, None)  # it moves the programme's mean: all scores are due
    assess_market(conn, desk, market, now, Cause.of(event, because))
    crashpoint("coverage.assessed")


def _need_plan(conn: Connection, number: int) -> None:
    if not plans.has_plan(conn, number):
        raise NotYet(f"plan {number} has not arrived")


def _market(market: Market) -> MarketId:
    return MarketId(market.region or "-", market.segment or "-")

"""Looks at markets after a change, and tells what really changed.

Compares the picture of now with what was last told, writes the events to the outbox and the new state
beside them, all in the transaction of the cause.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, bindparam, select

from dealreg_coverage.domain.gaps import PRIORITY, GapClass
from dealreg_coverage.domain.picture import MarketPicture, market_picture, picture
from dealreg_coverage.domain.plan import MarketId
from dealreg_coverage.handlers.desk import Cause, Desk
from dealreg_coverage.store import known, set_refreshed
from dealreg_coverage.tables import ANNOUNCED_GAP, ANNOUNCED_SCORE
from dealreg_coverage.upsert import put
from dealreg_shared.contracts.base import EventData, Market
from dealreg_shared.contracts.coverage import GapClosed, GapOpened, ScoreChanged
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.outbox import Outgoing


def assess_market(
    conn: Connection, desk: Desk, market: MarketId, now: datetime, cause: Cause
) -> None:
    """After an event that touched one market. The caller holds ``store.one_writer``."""
    plan = desk.shelf.in_force(conn, now)
    if desk.quiet or plan is None:
        return
    posts = desk.shelf.posts(plan, now.date())
    seen = market_picture(plan, market, posts.get(market, ()), known(conn, now, market), now)
    _tell(conn, desk, [seen], _told_scores(conn, market), _told_gaps(conn, market), now, cause)


def assess_all(conn: Connection, desk: Desk, now: datetime, cause: Cause) -> None:
    """After what touches many markets: a plan, a suspension, a new day."""
    plan = desk.shelf.in_force(conn, now)
    if desk.quiet or plan is None:
        return
    seen = picture(plan, desk.shelf.posts(plan, now.date()), known(conn, now), now)
    scores, gaps = _told_scores(conn), _told_gaps(conn)
    gone = {market for _, market in scores} | set(gaps)
    pictures = [
        *seen.values(),
        *(MarketPicture(m, (), (), None) for m in sorted(gone - seen.keys())),
    ]
    _tell(conn, desk, pictures, scores, gaps, now, cause)
    set_refreshed(conn, now.date().isoformat(), plan.number)


ToldScores = dict[tuple[str, MarketId], int]
ToldGaps = dict[MarketId, GapClass]


def _tell(
    conn: Connection,
    desk: Desk,
    pictures: Iterable[MarketPicture],
    scores: ToldScores,
    gaps: ToldGaps,
    now: datetime,
    cause: Cause,
) -> None:
    outgoing: list[Outgoing] = []
    for seen in pictures:
        outgoing += _scores_of(conn, seen, scores, now, cause)
        outgoing += _gap_of(conn, seen, gaps.get(seen.market), now, cause)
    if outgoing:
        desk.outbox.append(conn, outgoing, now)
        crashpoint("coverage.told")


def _scores_of(
    conn: Connection, seen: MarketPicture, told: ToldScores, now: datetime, cause: Cause
) -> Sequence[Outgoing]:
    current = {entry.partner_id: entry.tenths for entry in seen.scores}
    former = {partner: tenths for (partner, m), tenths in told.items() if m == seen.market}
    changed = [
        partner
        for partner in sorted(current.keys() | former.keys())
        if current.get(partner) != former.get(partner)
    ]
    for partner in changed:
        key = {
            "region": seen.market.region,
            "segment": seen.market.segment,
            "partner_id": partner,
        }
        if partner in current:
            put(conn, ANNOUNCED_SCORE, key, {"tenths": current[partner]})
        else:
            conn.execute(
                ANNOUNCED_SCORE.delete().where(
                    *(ANNOUNCED_SCORE.c[name] == value for name, value in key.items())
                )
            )
    return [
        _outgoing(
            "dealreg.coverage.score-changed.v1",
            seen.market,
            partner,
            ScoreChanged(
                partner_id=partner,
                market=_market(seen.market),
                former=former.get(partner),
                score=current.get(partner),
                as_of=now,
                because=(cause.because,),
            ),
            cause,
        )
        for partner in changed
    ]


def _gap_of(
    conn: Connection, seen: MarketPicture, told: GapClass | None, now: datetime, cause: Cause
) -> Sequence[Outgoing]:
    current = None if seen.gap is None else seen.gap.gap_class
    if current == told:
        return ()
    market, outgoing = _market(seen.market), []
    if told is not None:
        closed = GapClosed(market=market, gap_class=told, priority=PRIORITY[told], as_of=now)
        outgoing.append(
            _outgoing(
                "dealreg.coverage.gap-closed.v1", seen.market, str(seen.market), closed, cause
            )
        )
    key = {"region": seen.market.region, "segment": seen.market.segment}
    if seen.gap is None:
        conn.execute(
            ANNOUNCED_GAP.delete().where(
                *(ANNOUNCED_GAP.c[name] == value for name, value in key.items())
            )
        )
    else:
        opened = GapOpened(
            market=market,
            gap_class=seen.gap.gap_class,
            priority=seen.gap.priority,
            as_of=now,
            reason=seen.gap.reason,
        )
        outgoing.append(
            _outgoing(
                "dealreg.coverage.gap-opened.v1", seen.market, str(seen.market), opened, cause
            )
        )
        put(conn, ANNOUNCED_GAP, key, {"gap_class": seen.gap.gap_class})
    return outgoing


def _outgoing(
    event_type: str, market: MarketId, subject: str, data: EventData, cause: Cause
) -> Outgoing:
    return Outgoing(
        event_type,
        str(market),
        subject,
        data,
        cause.correlation_id,
        cause.causation_id,
        cause.traceparent,
    )


def _market(market: MarketId) -> Market:
    return Market(region=market.region, segment=market.segment)


def _told_scores(conn: Connection, market: MarketId | None = None) -> ToldScores:
    return {
        (row.partner_id, MarketId(row.region, row.segment)): row.tenths
        for row in _rows_in(conn, ANNOUNCED_SCORE, market)
    }


def _told_gaps(conn: Connection, market: MarketId | None = None) -> ToldGaps:
    rows = _rows_in(conn, ANNOUNCED_GAP, market)
    return {MarketId(row.region, row.segment): row.gap_class for row in rows}


def _rows_in(conn: Connection, table: Table, market: MarketId | None) -> Iterable[Row[Any]]:
    if market is None:
        return conn.execute(select(table))
    return conn.execute(_one_market(table), {"region": market.region, "segment": market.segment})


@cache
def _one_market(table: Table) -> Select[Any]:
    """Built once per table, since every event asks it."""
    return select(table).where(
        table.c.region == bindparam("region"), table.c.segment == bindparam("segment")
    )

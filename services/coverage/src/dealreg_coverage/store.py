"""Writing and reading the sums. All SQL of the projections is here and in ``plans``.

Adding to a sum is one statement that the database adds up by itself, so no event reads before it
writes. Must not know scores: those are the domain's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    Table,
    bindparam,
    func,
    select,
)

from dealreg_coverage import upsert
from dealreg_coverage.domain.factors import MEMORY, Prior, prior_for
from dealreg_coverage.domain.picture import CellKey, Known
from dealreg_coverage.domain.plan import MarketId
from dealreg_coverage.domain.quarter import quarter_of
from dealreg_coverage.domain.sums import Cell, HandSet, Sums, remember
from dealreg_coverage.tables import (
    CELL_QUARTER,
    CELL_RECENT,
    HAND_SET,
    MARKET_QUARTER,
    PARTNER_STATUS,
    PROGRAMME_QUARTER,
    REFRESHED,
)
from dealreg_shared.contracts.base import format_instant

MEETINGS = 4
"""Quarters, this one included, in which overlap cases count for the risk."""

_LOCK = 0x636F7672
_COUNTS = tuple(field.name for field in fields(Sums))


def one_writer(conn: Connection) -> None:
    """Let no other transaction change sums or scores until this one ends.

    Scores of a market depend on each other, so two writers could each announce half of a change; and
    batches that touch the same cells in other orders would deadlock. SQLite has one writer anyhow.
    """
    if conn.dialect.name == "postgresql":
        conn.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def add(
    conn: Connection,
    key: CellKey,
    at: datetime,
    sums: Sums,
    kind: str,
    event_id: str,
) -> None:
    """Add to one cell's quarter, and remember the event among the cell's latest of its kind."""
    place = {
        "partner_id": key.partner_id,
        "region": key.market.region,
        "segment": key.market.segment,
    }
    upsert.add(conn, CELL_QUARTER, {**place, "quarter": quarter_of(at)}, asdict(sums))
    before = conn.execute(_RECENT, place).scalar()
    after = remember(_recent(before or {}), kind, format_instant(at), event_id)
    upsert.put(conn, CELL_RECENT, place, {"recent": after})
    if sums.won or sums.lost:
        won_and_lost = {"won": sums.won, "lost": sums.lost}
        upsert.add(conn, PROGRAMME_QUARTER, {"quarter": quarter_of(at)}, won_and_lost)


def add_meeting(conn: Connection, market: MarketId, at: datetime) -> None:
    """One more overlap case was opened in a market."""
    place = {"region": market.region, "segment": market.segment, "quarter": quarter_of(at)}
    upsert.add(conn, MARKET_QUARTER, place, {"met": 1})


def set_status(conn: Connection, partner_id: str, at: datetime, *, suspended: bool) -> None:
    upsert.put(
        conn, PARTNER_STATUS, {"partner_id": partner_id, "at": at}, {"suspended": int(suspended)}
    )


def known(conn: Connection, at: datetime, market: MarketId | None = None) -> Known:
    """What is stored about one market, or about all, as an assessment at an instant needs it."""
    quarter = quarter_of(at)
    return Known(
        _prior(conn, quarter),
        _suspended(conn, at),
        _cells(conn, quarter, market),
        _hand_set(conn, market),
        _meetings(conn, quarter, market),
    )


def closed_deals(conn: Connection, at: datetime, quarters: int = 4) -> dict[MarketId, Sums]:
    """Each market's sums over the last quarters, of all partners."""
    quarter = quarter_of(at)
    rows = conn.execute(
        select(
            CELL_QUARTER.c.region,
            CELL_QUARTER.c.segment,
            *(func.sum(CELL_QUARTER.c[name]).label(name) for name in _COUNTS),
        )
        .where(CELL_QUARTER.c.quarter.between(quarter - quarters + 1, quarter))
        .group_by(CELL_QUARTER.c.region, CELL_QUARTER.c.segment)
    ).mappings()
    return {
        MarketId(row["region"], row["segment"]): Sums(**{n: int(row[n]) for n in _COUNTS})
        for row in rows
    }


def find_hand_set(conn: Connection, key: CellKey, factor: str) -> tuple[HandSet | None, int]:
    """What staff set, if it was not taken back, and the version of the row (0: never set)."""
    row = (
        conn.execute(select(HAND_SET).where(*_same(HAND_SET, _factor_key(key, factor))))
        .mappings()
        .first()
    )
    if row is None:
        return None, 0
    return (None if row["value"] is None else _to_hand_set(row)), int(row["version"])


def put_hand_set(conn: Connection, key: CellKey, factor: str, given: HandSet) -> None:
    upsert.put(conn, HAND_SET, _factor_key(key, factor), asdict(given))


def take_back(conn: Connection, key: CellKey, factor: str, version: int) -> None:
    """The row stays, without a value, so that versions never repeat."""
    conn.execute(
        HAND_SET.update()
        .where(*_same(HAND_SET, _factor_key(key, factor)))
        .values(value=None, version=version)
    )


def hand_set_ends(conn: Connection, after: str, until: str) -> bool:
    """Whether a factor set by hand ends on a day later than ``after`` and not later than ``until``."""
    ends = HAND_SET.c.until_day
    query = select(HAND_SET.c.factor).where(
        HAND_SET.c.value.is_not(None), ends > after, ends <= until
    )
    return conn.execute(query.limit(1)).first() is not None


def refreshed(conn: Connection) -> tuple[str | None, int | None]:
    """Day and plan of the last look at everything; (None, None) if it is due."""
    row = conn.execute(select(REFRESHED.c.day, REFRESHED.c.plan_number)).first()
    return (None, None) if row is None else (row[0], row[1])


def set_refreshed(conn: Connection, day: str | None, plan_number: int | None) -> None:
    upsert.put(conn, REFRESHED, {"id": 1}, {"day": day, "plan_number": plan_number})


def _prior(conn: Connection, quarter: int) -> Prior:
    rows = conn.execute(_PROGRAMME, {"first": quarter - MEMORY, "last": quarter - 1})
    return prior_for(quarter, {row.quarter: Sums(won=row.won, lost=row.lost) for row in rows})


def _suspended(conn: Connection, at: datetime) -> frozenset[str]:
    latest = {partner: bool(gone) for partner, gone in conn.execute(_STATUS, {"at": at})}
    return frozenset(partner for partner, suspended in latest.items() if suspended)


def _cells(conn: Connection, quarter: int, market: MarketId | None) -> dict[CellKey, Cell]:
    quarters: dict[CellKey, dict[int, Sums]] = {}
    span = {"first": quarter - MEMORY + 1, "last": quarter}
    for row in conn.execute(_quarters_query(market is None), _where(market) | span):
        partner, region, segment, of_quarter, *counts = row
        key = CellKey(partner, MarketId(region, segment))
        quarters.setdefault(key, {})[of_quarter] = Sums(*map(int, counts))
    recent = {
        CellKey(partner, MarketId(region, segment)): _recent(stored)
        for partner, region, segment, stored in conn.execute(
            _recent_query(market is None), _where(market)
        )
    }
    return {key: Cell(sums, recent.get(key, {})) for key, sums in quarters.items()}


def _hand_set(conn: Connection, market: MarketId | None) -> dict[CellKey, dict[str, HandSet]]:
    found: dict[CellKey, dict[str, HandSet]] = {}
    for row in conn.execute(_hand_set_query(market is None), _where(market)).mappings():
        key = CellKey(row["partner_id"], MarketId(row["region"], row["segment"]))
        found.setdefault(key, {})[row["factor"]] = _to_hand_set(row)
    return found


def _meetings(conn: Connection, quarter: int, market: MarketId | None) -> dict[MarketId, int]:
    span = {"first": quarter - MEETINGS + 1, "last": quarter}
    rows = conn.execute(_meetings_query(market is None), _where(market) | span)
    return {MarketId(region, segment): int(met) for region, segment, met in rows}


def _where(market: MarketId | None) -> dict[str, Any]:
    return {} if market is None else {"in_region": market.region, "in_segment": market.segment}


def _limited(query: Select[Any], table: Table, everywhere: bool) -> Select[Any]:
    if everywhere:
        return query
    return query.where(
        table.c.region == bindparam("in_region"), table.c.segment == bindparam("in_segment")
    )


def _span(table: Table) -> ColumnElement[bool]:
    return table.c.quarter.between(bindparam("first"), bindparam("last"))


# Statements are built once: an event reads half a dozen of them, and building costs more than running.
_PROGRAMME = select(PROGRAMME_QUARTER).where(_span(PROGRAMME_QUARTER))
_STATUS = (
    select(PARTNER_STATUS.c.partner_id, PARTNER_STATUS.c.suspended)
    .where(PARTNER_STATUS.c.at <= bindparam("at"))
    .order_by(PARTNER_STATUS.c.partner_id, PARTNER_STATUS.c.at)
)
_RECENT = select(CELL_RECENT.c.recent).where(
    *(CELL_RECENT.c[name] == bindparam(name) for name in ("partner_id", "region", "segment"))
)


@cache
def _quarters_query(everywhere: bool) -> Select[Any]:
    table = CELL_QUARTER
    columns = (table.c[name] for name in ("partner_id", "region", "segment", "quarter", *_COUNTS))
    return _limited(select(*columns).where(_span(table)), table, everywhere)


@cache
def _recent_query(everywhere: bool) -> Select[Any]:
    table = CELL_RECENT
    columns = (table.c[name] for name in ("partner_id", "region", "segment", "recent"))
    return _limited(select(*columns), table, everywhere)


@cache
def _hand_set_query(everywhere: bool) -> Select[Any]:
    return _limited(select(HAND_SET).where(HAND_SET.c.value.is_not(None)), HAND_SET, everywhere)


@cache
def _meetings_query(everywhere: bool) -> Select[Any]:
    table = MARKET_QUARTER
    query = select(table.c.region, table.c.segment, func.sum(table.c.met)).where(_span(table))
    return _limited(query, table, everywhere).group_by(table.c.region, table.c.segment)


def _recent(stored: Mapping[str, Any]) -> dict[str, tuple[tuple[str, str], ...]]:
    return {kind: tuple((at, event) for at, event in events) for kind, events in stored.items()}


def _to_hand_set(row: RowMapping) -> HandSet:
    return HandSet(**{field.name: row[field.name] for field in fields(HandSet)})


def _factor_key(key: CellKey, factor: str) -> dict[str, str]:
    return {
        "partner_id": key.partner_id,
        "region": key.market.region,
        "segment": key.market.segment,
        "factor": factor,
    }


def _same(table: Table, key: Mapping[str, Any]) -> Iterable[Any]:
    return [table.c[name] == value for name, value in key.items()]

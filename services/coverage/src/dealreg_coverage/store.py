"""Writing and reading the sums. All SQL of the projections is here and in ``plans``.

Adding to a sum is one statement that the database adds up by itself, so no event reads before it
writes. Must not know scores: those are the domain's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

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
    _add(conn, CELL_QUARTER, {**place, "quarter": quarter_of(at)}, asdict(sums))
    mine = [CELL_RECENT.c[name] == value for name, value in place.items()]
    before = conn.execute(select(CELL_RECENT.c.recent).where(*mine)).scalar()
    after = remember(_recent(before or {}), kind, format_instant(at), event_id)
    put(conn, CELL_RECENT, place, {"recent": after})
    if sums.won or sums.lost:
        won_and_lost = {"won": sums.won, "lost": sums.lost}
        _add(conn, PROGRAMME_QUARTER, {"quarter": quarter_of(at)}, won_and_lost)


def add_meeting(conn: Connection, market: MarketId, at: datetime) -> None:
    """One more overlap case was opened in a market."""
    place = {"region": market.region, "segment": market.segment, "quarter": quarter_of(at)}
    _add(conn, MARKET_QUARTER, place, {"met": 1})


def set_status(conn: Connection, partner_id: str, at: datetime, *, suspended: bool) -> None:
    put(conn, PARTNER_STATUS, {"partner_id": partner_id, "at": at}, {"suspended": int(suspended)})


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
    put(conn, HAND_SET, _factor_key(key, factor), asdict(given))


def take_back(conn: Connection, key: CellKey, factor: str, version: int) -> None:
    """The row stays, without a value, so that versions never repeat."""
    conn.execute(
        HAND_SET.update()
        .where(*_same(HAND_SET, _factor_key(key, factor)))
        .values(value=None, version=version)
    )


def refreshed(conn: Connection) -> tuple[str | None, int | None]:
    """Day and plan of the last look at everything; (None, None) if it is due."""
    row = conn.execute(select(REFRESHED.c.day, REFRESHED.c.plan_number)).first()
    return (None, None) if row is None else (row[0], row[1])


def set_refreshed(conn: Connection, day: str | None, plan_number: int | None) -> None:
    put(conn, REFRESHED, {"id": 1}, {"day": day, "plan_number": plan_number})


def put(conn: Connection, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Insert a row or overwrite the one with this key."""
    _upsert(conn, table, key, values, values)


def _add(conn: Connection, table: Table, key: Mapping[str, Any], more: Mapping[str, int]) -> None:
    _upsert(conn, table, key, more, {name: table.c[name] + more[name] for name in more})


def _upsert(
    conn: Connection,
    table: Table,
    key: Mapping[str, Any],
    values: Mapping[str, Any],
    change: Mapping[str, Any],
) -> None:
    rows = {**key, **values}
    if conn.dialect.name == "postgresql":
        conn.execute(
            postgresql.insert(table)
            .values(rows)
            .on_conflict_do_update(index_elements=list(key), set_=dict(change))
        )
    else:
        conn.execute(
            sqlite.insert(table)
            .values(rows)
            .on_conflict_do_update(index_elements=list(key), set_=dict(change))
        )


def _prior(conn: Connection, quarter: int) -> Prior:
    rows = conn.execute(
        select(PROGRAMME_QUARTER).where(
            PROGRAMME_QUARTER.c.quarter.between(quarter - MEMORY, quarter - 1)
        )
    )
    return prior_for(quarter, {row.quarter: Sums(won=row.won, lost=row.lost) for row in rows})


def _suspended(conn: Connection, at: datetime) -> frozenset[str]:
    rows = conn.execute(
        select(PARTNER_STATUS.c.partner_id, PARTNER_STATUS.c.suspended)
        .where(PARTNER_STATUS.c.at <= at)
        .order_by(PARTNER_STATUS.c.partner_id, PARTNER_STATUS.c.at)
    )
    latest = {partner: bool(suspended) for partner, suspended in rows}
    return frozenset(partner for partner, suspended in latest.items() if suspended)


def _cells(conn: Connection, quarter: int, market: MarketId | None) -> dict[CellKey, Cell]:
    quarters: dict[CellKey, dict[int, Sums]] = {}
    rows = conn.execute(
        select(CELL_QUARTER).where(
            CELL_QUARTER.c.quarter.between(quarter - MEMORY + 1, quarter),
            *_in_market(CELL_QUARTER, market),
        )
    ).mappings()
    for row in rows:
        sums = Sums(**{name: int(row[name]) for name in _COUNTS})
        quarters.setdefault(_cell_key(row), {})[row["quarter"]] = sums
    recents = conn.execute(select(CELL_RECENT).where(*_in_market(CELL_RECENT, market))).mappings()
    recent = {_cell_key(row): _recent(row["recent"]) for row in recents}
    return {key: Cell(sums, recent.get(key, {})) for key, sums in quarters.items()}


def _hand_set(conn: Connection, market: MarketId | None) -> dict[CellKey, dict[str, HandSet]]:
    found: dict[CellKey, dict[str, HandSet]] = {}
    rows = conn.execute(
        select(HAND_SET).where(HAND_SET.c.value.is_not(None), *_in_market(HAND_SET, market))
    ).mappings()
    for row in rows:
        found.setdefault(_cell_key(row), {})[row["factor"]] = _to_hand_set(row)
    return found


def _meetings(conn: Connection, quarter: int, market: MarketId | None) -> dict[MarketId, int]:
    rows = conn.execute(
        select(MARKET_QUARTER.c.region, MARKET_QUARTER.c.segment, func.sum(MARKET_QUARTER.c.met))
        .where(
            MARKET_QUARTER.c.quarter.between(quarter - MEETINGS + 1, quarter),
            *_in_market(MARKET_QUARTER, market),
        )
        .group_by(MARKET_QUARTER.c.region, MARKET_QUARTER.c.segment)
    )
    return {MarketId(region, segment): int(met) for region, segment, met in rows}


def _recent(stored: Mapping[str, Any]) -> dict[str, tuple[tuple[str, str], ...]]:
    return {kind: tuple((at, event) for at, event in events) for kind, events in stored.items()}


def _to_hand_set(row: RowMapping) -> HandSet:
    return HandSet(**{field.name: row[field.name] for field in fields(HandSet)})


def _cell_key(row: RowMapping) -> CellKey:
    return CellKey(row["partner_id"], MarketId(row["region"], row["segment"]))


def _factor_key(key: CellKey, factor: str) -> dict[str, str]:
    return {
        "partner_id": key.partner_id,
        "region": key.market.region,
        "segment": key.market.segment,
        "factor": factor,
    }


def _same(table: Table, key: Mapping[str, Any]) -> Iterable[Any]:
    return [table.c[name] == value for name, value in key.items()]


def _in_market(table: Table, market: MarketId | None) -> list[Any]:
    if market is None:
        return []
    return [table.c.region == market.region, table.c.segment == market.segment]

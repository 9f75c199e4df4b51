"""The whole state as bytes: what a rebuild, another database or another order must give again.

Holds what comes from the log, what was set by hand, what was last told, and what all of it says at an
instant. Leaves out inbox, outbox and access keys, which tell how events travelled and who may ask.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, select

from dealreg_coverage import store
from dealreg_coverage.domain.picture import MarketPicture, picture
from dealreg_coverage.plans import PlanShelf
from dealreg_coverage.tables import ANNOUNCED_GAP, ANNOUNCED_SCORE, FROM_THE_LOG, HAND_SET
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.db.types import canonical_json


def canonical_state(conn: Connection, at: datetime) -> bytes:
    """One line of canonical JSON per row and per market, in one order. ``at`` is the as-of instant."""
    lines = [
        canonical_json([table.name, *(_plain(value) for value in row)])
        for table in (*FROM_THE_LOG, HAND_SET, ANNOUNCED_SCORE, ANNOUNCED_GAP)
        for row in _rows(conn, table)
    ]
    shelf = PlanShelf()
    plan = shelf.in_force(conn, at)
    if plan is not None:
        known = store.known(conn, at)
        prior = known.prior
        lines.append(canonical_json(["prior", prior.quarter, str(prior.won), str(prior.closed)]))
        seen = picture(plan, shelf.posts(plan, at.date()), known, at)
        lines += [canonical_json(_market(market)) for market in seen.values()]
    return "\n".join(lines).encode()


def _rows(conn: Connection, table: Table) -> list[tuple[Any, ...]]:
    rows = [tuple(row) for row in conn.execute(select(table))]
    return sorted(rows, key=lambda row: canonical_json([_plain(value) for value in row]))


def _plain(value: Any) -> Any:
    return format_instant(value) if isinstance(value, datetime) else value


def _market(seen: MarketPicture) -> list[Any]:
    return [
        "market",
        str(seen.market),
        None if seen.gap is None else [seen.gap.gap_class, seen.gap.reason, seen.gap.weight],
        [
            [
                score.partner_id,
                score.cover.kind,
                score.tenths,
                [
                    [f.computed.name, f.value, [[x.text, x.event_ids] for x in f.computed.facts]]
                    for f in score.factors
                ],
            ]
            for score in seen.scores
        ],
    ]

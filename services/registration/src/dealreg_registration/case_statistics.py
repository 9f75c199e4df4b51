"""How cases were settled, by quarter: numbers for the quarterly review. Must not write."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Any

from sqlalchemy import Connection, Row, select

from dealreg_registration.tables_accounts import conflict, ruling
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.db import app_now

Quarter = tuple[int, int]


def statistics(conn: Connection, quarters: int) -> dict[str, Any]:
    """The last ``quarters`` quarters of the calendar, in UTC, the present one last."""
    now = app_now(conn)
    wanted = _back(_quarter(now), quarters - 1)
    start = _start(wanted)
    opened = Counter(
        _quarter(at)
        for at in conn.execute(
            select(conflict.c.opened_at).where(conflict.c.opened_at >= start)
        ).scalars()
    )
    closed_by_itself = Counter(
        _quarter(at)
        for at in conn.execute(
            select(conflict.c.closed_at).where(
                conflict.c.state == "withdrawn", conflict.c.closed_at >= start
            )
        ).scalars()
    )
    ruled: dict[Quarter, list[Row[Any]]] = {}
    for row in conn.execute(
        select(
            conflict.c.opened_at,
            ruling.c.decided_at,
            ruling.c.level,
            ruling.c.breached,
            ruling.c.departs,
        )
        .join(conflict, conflict.c.id == ruling.c.conflict_id)
        .where(ruling.c.decided_at >= start)
    ):
        ruled.setdefault(_quarter(row.decided_at), []).append(row)
    items = []
    for back in range(quarters - 1, -1, -1):
        quarter = _back(_quarter(now), back)
        items.append(
            {
                "quarter": f"{quarter[0]}-Q{quarter[1]}",
                "from": format_instant(_start(quarter)),
                "opened": opened[quarter],
                "withdrawn": closed_by_itself[quarter],
                **_decided(ruled.get(quarter, ())),
            }
        )
    return {"as_of": format_instant(now), "items": items}


def _decided(rows: Sequence[Row[Any]]) -> dict[str, Any]:
    taken = [(row.decided_at - row.opened_at).total_seconds() for row in rows]
    by_level = Counter(row.level for row in rows)
    return {
        "decided": len(rows),
        "decided_by_level": {str(level): by_level[level] for level in (1, 2, 3, 4)},
        "breached": sum(row.breached for row in rows),
        "departures": sum(bool(row.departs) for row in rows),
        "median_seconds": round(median(taken)) if taken else None,
        "worst_seconds": round(max(taken)) if taken else None,
    }


def _quarter(at: datetime) -> Quarter:
    at = at.astimezone(UTC)
    return at.year, (at.month - 1) // 3 + 1


def _back(quarter: Quarter, count: int) -> Quarter:
    index = quarter[0] * 4 + quarter[1] - 1 - count
    return index // 4, index % 4 + 1


def _start(quarter: Quarter) -> datetime:
    return datetime(quarter[0], (quarter[1] - 1) * 3 + 1, 1, tzinfo=UTC)

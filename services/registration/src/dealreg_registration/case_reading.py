"""Reads of cases, as they stand now. Call after a sweep, so that stored states are the present ones.

Must not write.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from dealreg_registration import store
from dealreg_registration.case_rows import case_from
from dealreg_registration.case_views import case_view
from dealreg_registration.domain.account import Claim
from dealreg_registration.tables_accounts import account, claim, conflict, conflict_claim
from dealreg_registration.tables_programme import audit
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.db import app_now
from dealreg_shared.web.paging import Position, after, page


def conflict_page(
    conn: Connection, state: str | None, kind: str | None, cursor: str | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Cases, the newest first, for staff."""
    query = select(conflict)
    if state is not None:
        query = query.where(conflict.c.state == state)
    if kind is not None:
        query = query.where(conflict.c.kind == kind)
    rows = conn.execute(
        after(query, conflict.c.opened_at, conflict.c.id, cursor, limit, descending=True)
    ).all()
    shown, following = page(rows, limit, lambda row: Position(row.opened_at, row.id))
    return _cases(conn, shown), following


def conflict_detail(conn: Connection, conflict_id: str) -> dict[str, Any] | None:
    """One case with its history."""
    rows = conn.execute(select(conflict).where(conflict.c.id == conflict_id)).all()
    if not rows:
        return None
    [view] = _cases(conn, rows)
    view["history"] = [
        {
            "at": format_instant(entry.at),
            "actor": entry.actor,
            "action": entry.action,
            "detail": entry.detail,
        }
        for entry in conn.execute(
            select(audit).where(audit.c.subject == conflict_id).order_by(audit.c.id)
        )
    ]
    return view


def _cases(conn: Connection, rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    if not rows:
        return []
    now = app_now(conn)
    members: dict[str, list[Claim]] = {}
    joined = (
        select(conflict_claim.c.conflict_id, claim)
        .join(claim, claim.c.id == conflict_claim.c.claim_id)
        .where(store.among(conn, conflict_claim.c.conflict_id, {row.id for row in rows}))
    )
    for row in conn.execute(joined):
        members.setdefault(row.conflict_id, []).append(store.claim_from(row))
    names = dict(
        conn.execute(
            select(account.c.id, account.c.name).where(
                store.among(conn, account.c.id, {row.account_id for row in rows})
            )
        )
        .tuples()
        .all()
    )
    views = []
    for row in rows:
        claims = members.get(row.id, [])
        case = case_from(row, [c.id for c in claims])
        views.append(case_view(case, row.account_id, names[row.account_id], claims, now))
    return views

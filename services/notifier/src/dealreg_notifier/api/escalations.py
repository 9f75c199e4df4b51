"""Conflicts on their ladder, for staff: level, who, until when, how much time is left."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Connection, select

from dealreg_notifier import store, tables
from dealreg_notifier.api.schemas import Escalation
from dealreg_notifier.domain.errors import NoSuchEscalation
from dealreg_shared.auth import Authenticator, Principal
from dealreg_shared.db import Database, app_now
from dealreg_shared.web import paging
from dealreg_shared.web.paging import DEFAULT_LIMIT, After, Limit, Page

Open = Annotated[bool | None, Query(description="true: open cases only; false: closed ones only")]


def router(database: Database, authenticator: Authenticator) -> APIRouter:
    routes = APIRouter(prefix="/v1/escalations", tags=["escalations"])
    staff = authenticator.require("partner_manager", "vp", "ceo", "reviewer", "admin", "auditor")
    Staff = Annotated[Principal, Depends(staff)]

    @routes.get("", summary="Cases on the ladder, in order of opening")
    async def list_escalations(
        _caller: Staff,
        limit: Limit = DEFAULT_LIMIT,
        after: After = None,
        open: Open = None,  # noqa: A002  (the name in the URL)
    ) -> Page[Escalation]:
        """Cases in the order in which they opened."""
        return await database.read(lambda conn: _page(conn, open, after, limit))

    @routes.get("/{conflict_id}", summary="One case on the ladder")
    async def read_escalation(conflict_id: str, _caller: Staff) -> Escalation:
        """One case, as it stands now."""
        return await database.read(lambda conn: _one(conn, conflict_id))

    return routes


def _page(conn: Connection, open_: bool | None, cursor: str | None, limit: int) -> Page[Escalation]:
    table = tables.conflict_case
    query = select(table)
    if open_ is not None:
        query = query.where(
            table.c.closed_at.is_(None) if open_ else table.c.closed_at.is_not(None)
        )
    query = paging.after(query, table.c.opened_at, table.c.conflict_id, cursor, limit)
    rows, following = paging.page(
        conn.execute(query).mappings().all(),
        limit,
        lambda row: paging.Position(row["opened_at"], row["conflict_id"]),
    )
    now: datetime = app_now(conn)
    return Page(items=[Escalation.of(store.case_of(row), now) for row in rows], next=following)


def _one(conn: Connection, conflict_id: str) -> Escalation:
    table = tables.conflict_case
    row = conn.execute(select(table).where(table.c.conflict_id == conflict_id)).mappings().first()
    if row is None:
        raise NoSuchEscalation(f"there is no conflict {conflict_id}")
    return Escalation.of(store.case_of(row), app_now(conn))

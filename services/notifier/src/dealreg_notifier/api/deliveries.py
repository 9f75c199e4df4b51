"""Deliveries, for admins: what is on its way, what was put aside and why, and sending it again."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Connection, Select, select

from dealreg_notifier import put_aside, tables
from dealreg_notifier.api.schemas import Delivery, DeliveryState
from dealreg_notifier.domain.errors import NoSuchDelivery
from dealreg_shared.auth import Authenticator, Principal
from dealreg_shared.db import Database, app_now
from dealreg_shared.web import paging
from dealreg_shared.web.idempotency import no_key
from dealreg_shared.web.paging import DEFAULT_LIMIT, After, Limit, Page

State = Annotated[DeliveryState | None, Query(description="Such as `dead`")]


def router(database: Database, authenticator: Authenticator) -> APIRouter:
    routes = APIRouter(prefix="/v1/deliveries", tags=["deliveries"])
    Admin = Annotated[Principal, Depends(authenticator.require("admin"))]

    @routes.get("", summary="Deliveries of notices")
    async def list_deliveries(
        _caller: Admin, limit: Limit = DEFAULT_LIMIT, after: After = None, state: State = None
    ) -> Page[Delivery]:
        """The oldest first."""
        return await database.read(lambda conn: _page(conn, state, after, limit))

    @routes.get("/{delivery_id}", summary="One delivery")
    async def read_delivery(delivery_id: str, _caller: Admin) -> Delivery:
        return await database.read(lambda conn: _one(conn, delivery_id))

    @routes.post(
        "/{delivery_id}/replay",
        summary="Send it again",
        openapi_extra=no_key("what is on its way already is refused, and not sent twice."),
    )
    async def replay_delivery(delivery_id: str, _caller: Admin) -> Delivery:
        """Send a dead delivery again, with as many attempts as a new one and the same id."""

        def work(conn: Connection) -> Delivery:
            put_aside.replay(conn, [delivery_id], app_now(conn))
            return _one(conn, delivery_id)

        return await database.write(work)

    return routes


def _select() -> Select[tuple[object, ...]]:
    delivery, notice = tables.delivery, tables.notification
    return select(delivery, notice.c.kind, notice.c.title).select_from(delivery.join(notice))


def _page(conn: Connection, state: str | None, cursor: str | None, limit: int) -> Page[Delivery]:
    query = _select()
    if state is not None:
        query = query.where(tables.delivery.c.state == state)
    query = paging.after(
        query, tables.delivery.c.created_at, tables.delivery.c.delivery_id, cursor, limit
    )
    rows, following = paging.page(
        conn.execute(query).mappings().all(),
        limit,
        lambda row: paging.Position(row["created_at"], row["delivery_id"]),
    )
    return Page(items=[Delivery.of(row) for row in rows], next=following)


def _one(conn: Connection, delivery_id: str) -> Delivery:
    row = (
        conn.execute(_select().where(tables.delivery.c.delivery_id == delivery_id))
        .mappings()
        .first()
    )
    if row is None:
        raise NoSuchDelivery(f"there is no delivery {delivery_id}")
    return Delivery.of(row)

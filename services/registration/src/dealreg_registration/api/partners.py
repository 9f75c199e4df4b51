"""Partners with their standing, and the territories of the plan in force.

Staff see all; a partner sees itself and its own territories, and no sign of anybody else.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Request
from sqlalchemy import Connection
from starlette.responses import Response

from dealreg_registration.api.acting import key_of, respond
from dealreg_registration.api.callers import READERS, actor_of
from dealreg_registration.api.errors import not_found
from dealreg_registration.api.programme_parts import ProgrammeParts, own_only
from dealreg_registration.api.schemas_programme import (
    SuspendBody,
    kind_of,
    partner_view,
    territory_view,
)
from dealreg_registration.handlers.suspend_partner import change_standing
from dealreg_registration.programme_store import StandingRow, lock_programme, standings
from dealreg_shared.auth import Principal
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.telemetry import current
from dealreg_shared.web import etag
from dealreg_shared.web.bodies import JsonBody
from dealreg_shared.web.idempotency import StoredAnswer, once
from dealreg_shared.web.paging import DEFAULT_LIMIT, After, Limit, Position, decode, page

Item = Mapping[str, Any]
Kind = Literal["geographic", "segment", "vertical", "product", "account", "hybrid"]


def partners_router(parts: ProgrammeParts) -> APIRouter:
    """Routes under ``/v1/partners`` and ``/v1/territories``."""
    router = APIRouter(prefix="/v1")
    database = parts.database
    Admin = Annotated[Principal, Depends(parts.authenticator.require("admin"))]
    Reader = Annotated[Principal, Depends(parts.authenticator.require(*READERS))]

    def partner_at(conn: Connection, partner_id: str) -> tuple[Item, StandingRow]:
        partner = parts.current_plan(conn).partners.get(partner_id)
        if partner is None:
            raise not_found()
        return partner, standings(conn, [partner_id]).get(partner_id, StandingRow())

    async def change(
        request: Request,
        partner_id: str,
        principal: Principal,
        status: Literal["active", "suspended"],
        reason: str | None,
    ) -> Response:
        def act(conn: Connection) -> StoredAnswer:
            partner, former = partner_at(conn, partner_id)
            etag.check_if_match(request, former.version)
            standing = change_standing(
                conn,
                partner_id,
                status,
                reason=reason,
                notice_days=parts.current_plan(conn).notice_days,
                outbox=parts.outbox,
                programme=parts.programme,
                actor=actor_of(principal).id,
                correlation_id=current(),
            )
            return StoredAnswer(200, orjson.dumps(partner_view(partner, standing)))

        key = await key_of(request, principal)
        answer, _ = await once(database, key, lock_programme, act)
        crashpoint("standing.committed")
        parts.committed()
        return respond(answer)

    @router.get("/partners", tags=["partners"], summary="Partners of the plan in force, by id")
    async def list_partners(
        principal: Reader,
        status: Literal["active", "suspended"] | None = None,
        tier: str | None = None,
        limit: Limit = DEFAULT_LIMIT,
        after: After = None,
    ) -> dict[str, Any]:
        """A partner sees itself only."""
        own = own_only(principal)

        def work(conn: Connection) -> dict[str, Any]:
            partners = parts.current_plan(conn).partners
            standing_of = standings(conn)

            def wanted(item: Item) -> bool:
                standing = standing_of.get(item["id"], StandingRow())
                return (
                    (own is None or item["id"] == own)
                    and (status is None or standing.status == status)
                    and (tier is None or item["tier"] == tier)
                )

            items, following = _page(partners, wanted, after, limit)
            return {
                "items": [
                    partner_view(item, standing_of.get(item["id"], StandingRow())) for item in items
                ],
                "next": following,
            }

        return await database.read(work)

    @router.get("/partners/{partner_id}", tags=["partners"], summary="One partner")
    async def read_partner(partner_id: str, principal: Reader) -> Response:
        own = own_only(principal)
        if own is not None and own != partner_id:
            raise not_found()
        return _answer(*await database.read(lambda conn: partner_at(conn, partner_id)))

    @router.post("/partners/{partner_id}/suspend", tags=["partners"], summary="Suspend a partner")
    async def suspend(
        request: Request, partner_id: str, body: JsonBody[SuspendBody], principal: Admin
    ) -> Response:
        """No new protection and no promotion from now on; its own protections end at `release_at`,
        after the notice that the plan gives. Needs `If-Match`."""
        return await change(request, partner_id, principal, "suspended", body.reason)

    @router.post(
        "/partners/{partner_id}/reactivate",
        tags=["partners"],
        summary="Make a partner active again",
    )
    async def reactivate(request: Request, partner_id: str, principal: Admin) -> Response:
        """What was released meanwhile stays released. Needs `If-Match`."""
        return await change(request, partner_id, principal, "active", None)

    @router.get(
        "/territories", tags=["territories"], summary="Territories of the plan in force, by id"
    )
    async def list_territories(
        principal: Reader,
        partner: str | None = None,
        region: str | None = None,
        country: str | None = None,
        segment: str | None = None,
        product_line: str | None = None,
        kind: Kind | None = None,
        overlay: bool | None = None,
        assigned: bool | None = None,
        limit: Limit = DEFAULT_LIMIT,
        after: After = None,
    ) -> dict[str, Any]:
        """Filters take what a territory itself names. A partner sees the territories it is assigned to,
        with its own assignments."""
        own = own_only(principal)

        def work(conn: Connection) -> dict[str, Any]:
            shelved = parts.current_plan(conn)
            ids = None
            for holder in {own, partner} - {None}:
                mine = shelved.territories_of.get(holder or "", frozenset())
                ids = mine if ids is None else ids & mine

            def wanted(item: Item) -> bool:
                matched = item.get("match", {})
                return (
                    (ids is None or item["id"] in ids)
                    and (region is None or region in matched.get("regions", ()))
                    and (country is None or country in _countries(matched))
                    and (segment is None or segment in matched.get("segments", ()))
                    and (product_line is None or product_line in matched.get("product_lines", ()))
                    and (overlay is None or item["overlay"] == overlay)
                    and (assigned is None or (item["id"] in shelved.assignments) == assigned)
                    and (kind is None or kind_of(item) == kind)
                )

            source = shelved.territories
            if ids is not None:
                source = {id_: source[id_] for id_ in sorted(ids & source.keys())}
            items, following = _page(source, wanted, after, limit)
            return {
                "items": [territory_view(shelved, item, own) for item in items],
                "next": following,
            }

        return await database.read(work)

    @router.get("/territories/{territory_id}", tags=["territories"], summary="One territory")
    async def read_territory(territory_id: str, principal: Reader) -> dict[str, Any]:
        own = own_only(principal)

        def work(conn: Connection) -> dict[str, Any]:
            shelved = parts.current_plan(conn)
            item = shelved.territories.get(territory_id)
            mine = shelved.territories_of.get(own or "", frozenset())
            if item is None or (own is not None and territory_id not in mine):
                raise not_found()
            return territory_view(shelved, item, own)

        return await database.read(work)

    return router


def _answer(partner: Item, standing: StandingRow) -> Response:
    return Response(
        orjson.dumps(partner_view(partner, standing)),
        200,
        {"etag": etag.etag(standing.version)},
        media_type="application/json",
    )


def _page(
    items: Mapping[str, Item], wanted: Callable[[Item], bool], cursor: str | None, limit: int
) -> tuple[list[Item], str | None]:
    """A page of items that are sorted by id."""
    ids = list(items)
    start = 0 if cursor is None else bisect_right(ids, decode(cursor).id)
    found: list[Item] = []
    for id_ in ids[start:]:
        if wanted(items[id_]):
            found.append(items[id_])
            if len(found) > limit:
                break
    rows, following = page(found, limit, lambda item: Position(item["id"], item["id"]))
    return list(rows), following


def _countries(matched: Mapping[str, Any]) -> set[str]:
    """The countries that a territory names, also by a subdivision, postal prefix or city."""
    named = set(matched.get("countries", ()))
    for name in ("subdivisions", "postal_prefixes", "cities"):
        named.update(code[:2] for code in matched.get(name, ()))
    return named

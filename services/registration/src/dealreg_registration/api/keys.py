"""API keys: made, listed, revoked. For admins; auditors may list."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from sqlalchemy import Connection, select
from starlette.responses import Response

from dealreg_registration.api.callers import actor_of
from dealreg_registration.api.errors import not_found
from dealreg_registration.api.programme_parts import ProgrammeParts
from dealreg_registration.api.schemas_programme import KeyBody, key_view
from dealreg_registration.domain.errors import NoPlanInForce
from dealreg_registration.handlers.manage_keys import create_key, revoke_key
from dealreg_registration.tables_programme import access_key
from dealreg_shared.auth import Principal
from dealreg_shared.contracts.people import AccessKeyUpdated, Role
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.telemetry import current
from dealreg_shared.web import paging
from dealreg_shared.web.bodies import JsonBody
from dealreg_shared.web.idempotency import no_key
from dealreg_shared.web.paging import DEFAULT_LIMIT, After, Limit, Position, page


def keys_router(parts: ProgrammeParts) -> APIRouter:
    """Routes under ``/v1/keys``."""
    router = APIRouter(prefix="/v1/keys", tags=["keys"])
    Admin = Annotated[Principal, Depends(parts.authenticator.require("admin"))]
    Viewer = Annotated[Principal, Depends(parts.authenticator.require("admin", "auditor"))]

    def partners(conn: Connection) -> frozenset[str]:
        try:
            return frozenset(parts.current_plan(conn).partners)
        except NoPlanInForce:
            return frozenset()

    @router.post(
        "",
        summary="Make a key",
        status_code=201,
        openapi_extra=no_key("a kept answer would hold the key; revoke the one too many."),
    )
    async def make(body: JsonBody[KeyBody], principal: Admin, response: Response) -> dict[str, Any]:
        """`key` is shown this once and stored nowhere: a retry makes another key."""
        access, secret = await parts.database.write(
            lambda conn: create_key(
                conn,
                body.request(),
                parts.real_now(),
                partners=partners(conn),
                outbox=parts.outbox,
                actor=actor_of(principal).id,
                correlation_id=current(),
            )
        )
        crashpoint("key.made_committed")
        parts.committed()
        response.headers["location"] = f"/v1/keys/{access.key_id}"
        response.headers["cache-control"] = "no-store"
        return {**key_view(access), "key": secret}

    @router.get("", summary="Keys, the oldest first")
    async def list_keys(
        _caller: Viewer,
        role: Role | None = None,
        partner_id: str | None = None,
        person_id: str | None = None,
        revoked: bool | None = None,
        limit: Limit = DEFAULT_LIMIT,
        after: After = None,
    ) -> dict[str, Any]:
        """Never a key itself, nor its hash."""
        query = select(access_key)
        for column, value in (
            (access_key.c.role, role),
            (access_key.c.partner_id, partner_id),
            (access_key.c.person_id, person_id),
        ):
            if value is not None:
                query = query.where(column == value)
        if revoked is not None:
            ended = access_key.c.revoked_at
            query = query.where(ended.is_not(None) if revoked else ended.is_(None))
        column = access_key.c.key_id
        rows = await parts.database.read(
            lambda conn: (
                conn.execute(paging.after(query, column, column, after, limit)).mappings().all()
            )
        )
        shown, following = page(rows, limit, lambda row: Position(row["key_id"], row["key_id"]))
        return {"items": [key_view(AccessKeyUpdated(**row)) for row in shown], "next": following}

    @router.get("/{key_id}", summary="One key")
    async def read_key(key_id: str, _caller: Viewer) -> dict[str, Any]:
        row = await parts.database.read(
            lambda conn: (
                conn.execute(select(access_key).where(access_key.c.key_id == key_id))
                .mappings()
                .first()
            )
        )
        if row is None:
            raise not_found()
        return key_view(AccessKeyUpdated(**row))

    @router.delete(
        "/{key_id}",
        summary="Revoke a key",
        openapi_extra=no_key("revoking again changes nothing."),
    )
    async def revoke(key_id: str, principal: Admin) -> dict[str, Any]:
        """Works at once here, and in the other services when the event arrives. Revoking again changes
        nothing."""
        access = await parts.database.write(
            lambda conn: revoke_key(
                conn,
                key_id,
                parts.real_now(),
                outbox=parts.outbox,
                actor=actor_of(principal).id,
                correlation_id=current(),
            )
        )
        crashpoint("key.revoked_committed")
        parts.authenticator.forget(key_id)
        parts.committed()
        return key_view(access)

    return router

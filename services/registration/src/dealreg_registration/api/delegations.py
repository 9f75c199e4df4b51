"""Who stands in for whom: made by the person or an admin, read by staff."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request
from sqlalchemy import Connection, Row, select
from starlette.responses import Response

from dealreg_registration.api.acting import key_of, respond
from dealreg_registration.api.callers import CASE_WORKERS, STAFF, actor_of
from dealreg_registration.api.programme_parts import ProgrammeParts
from dealreg_registration.api.schemas_cases import DelegationBody
from dealreg_registration.handlers.delegate import Period, delegate, end_delegation
from dealreg_registration.programme_store import lock_programme
from dealreg_registration.tables_programme import delegation
from dealreg_shared.auth import Principal
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.telemetry import current
from dealreg_shared.web import paging
from dealreg_shared.web.bodies import JsonBody
from dealreg_shared.web.idempotency import StoredAnswer, no_key, once
from dealreg_shared.web.paging import DEFAULT_LIMIT, After, Limit, Position, page
from dealreg_shared.web.problems import Problem


def delegations_router(parts: ProgrammeParts) -> APIRouter:
    """Routes under ``/v1/people/{person_id}/delegations``."""
    router = APIRouter(prefix="/v1/people/{person_id}/delegations", tags=["people"])
    Staff = Annotated[Principal, Depends(parts.authenticator.require(*STAFF))]
    Decider = Annotated[Principal, Depends(parts.authenticator.require(*CASE_WORKERS))]

    @router.post("", summary="Let somebody act for a person", status_code=201)
    async def make(
        request: Request, person_id: str, body: JsonBody[DelegationBody], principal: Decider
    ) -> Response:
        """By the person, or by an admin. It is looked at when the delegate acts, and cannot be handed
        on."""
        _own(principal, person_id)

        def act(conn: Connection) -> StoredAnswer:
            row = delegate(
                conn,
                person_id,
                body.delegate_id,
                Period(body.begins, body.until),
                outbox=parts.outbox,
                actor=actor_of(principal).id,
                correlation_id=current(),
            )
            return StoredAnswer(201, orjson.dumps(_view(row)))

        key = await key_of(request, principal)
        answer, _ = await once(parts.database, key, lock_programme, act)
        crashpoint("delegation.committed")
        parts.committed()
        return respond(answer)

    @router.get("", summary="A person's delegations, the newest first")
    async def list_delegations(
        person_id: str, _caller: Staff, limit: Limit = DEFAULT_LIMIT, after: After = None
    ) -> dict[str, Any]:
        """Those that are over, too."""
        query = select(delegation).where(delegation.c.person_id == person_id)
        rows = await parts.database.read(
            lambda conn: conn.execute(
                paging.after(
                    query, delegation.c.made_at, delegation.c.id, after, limit, descending=True
                )
            ).all()
        )
        shown, following = page(rows, limit, lambda row: Position(row.made_at, row.id))
        return {"items": [_view(row) for row in shown], "next": following}

    @router.delete(
        "/{delegation_id}",
        summary="End a delegation now",
        status_code=204,
        openapi_extra=no_key("ending one again changes nothing."),
    )
    async def end(person_id: str, delegation_id: str, principal: Decider) -> None:
        """By the person, or by an admin. One that is over stays as it was."""
        _own(principal, person_id)
        await parts.database.write(
            lambda conn: end_delegation(
                conn,
                person_id,
                delegation_id,
                outbox=parts.outbox,
                actor=actor_of(principal).id,
                correlation_id=current(),
            )
        )
        crashpoint("delegation.ended")
        parts.committed()

    return router


def _own(principal: Principal, person_id: str) -> None:
    if principal.role != "admin" and principal.person_id != person_id:
        raise Problem(
            403,
            "not-your-delegation",
            "Not yours to hand on",
            "A person delegates in its own name; for others an admin does.",
        )


def _view(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "person_id": row.person_id,
        "delegate_id": row.delegate_id,
        "from": format_instant(row.begins),
        "until": format_instant(row.ends),
        "made_at": format_instant(row.made_at),
        "made_by": row.made_by,
        "ended_at": None if row.ended_at is None else format_instant(row.ended_at),
    }

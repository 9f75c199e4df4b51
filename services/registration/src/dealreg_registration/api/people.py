"""People that plans name, for staff; erasing is for admins."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from sqlalchemy import select

from dealreg_registration.api.callers import STAFF, actor_of
from dealreg_registration.api.programme_parts import ProgrammeParts
from dealreg_registration.api.schemas_programme import person_view
from dealreg_registration.handlers.manage_people import erase_person
from dealreg_registration.tables_programme import person
from dealreg_shared.auth import Principal
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.telemetry import current
from dealreg_shared.web import paging
from dealreg_shared.web.idempotency import no_key
from dealreg_shared.web.paging import DEFAULT_LIMIT, After, Limit, Position, page


def people_router(parts: ProgrammeParts) -> APIRouter:
    """Routes under ``/v1/people``."""
    router = APIRouter(prefix="/v1/people", tags=["people"])
    Staff = Annotated[Principal, Depends(parts.authenticator.require(*STAFF))]
    Admin = Annotated[Principal, Depends(parts.authenticator.require("admin"))]

    @router.get("", summary="People, by id")
    async def list_people(
        _caller: Staff,
        partner_id: str | None = None,
        erased: bool = False,
        limit: Limit = DEFAULT_LIMIT,
        after: After = None,
    ) -> dict[str, Any]:
        """Those erased are shown only on demand, and then as ids."""
        query = select(person)
        if not erased:
            query = query.where(person.c.erased_at.is_(None))
        if partner_id is not None:
            query = query.where(person.c.partner_id == partner_id)
        rows = await parts.database.read(
            lambda conn: conn.execute(
                paging.after(query, person.c.id, person.c.id, after, limit)
            ).all()
        )
        shown, following = page(rows, limit, lambda row: Position(row.id, row.id))
        return {"items": [person_view(row) for row in shown], "next": following}

    @router.delete(
        "/{person_id}",
        summary="Erase a person",
        openapi_extra=no_key(
            "erasing again changes nothing; a retry names no keys, as none are left."
        ),
    )
    async def erase(person_id: str, principal: Admin) -> dict[str, Any]:
        """Name and address go, here and in the other services; keys bound to the person are revoked. The
        id stays taken. Erasing again changes nothing."""
        revoked = await parts.database.write(
            lambda conn: erase_person(
                conn,
                person_id,
                parts.real_now(),
                outbox=parts.outbox,
                actor=actor_of(principal).id,
                correlation_id=current(),
            )
        )
        crashpoint("person.erased_committed")
        for key_id in revoked:
            parts.authenticator.forget(key_id)
        parts.committed()
        return {"id": person_id, "keys_revoked": revoked}

    return router

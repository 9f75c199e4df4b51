"""People whose mail address was refused for good: for staff, who can ask for another one."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from dealreg_notifier import bounces, put_aside
from dealreg_notifier.channels.email import NAME as EMAIL
from dealreg_notifier.domain.errors import NoSuchBounce
from dealreg_notifier.tables import Fields
from dealreg_shared.auth import Authenticator, Principal
from dealreg_shared.contracts.base import Instant
from dealreg_shared.db import Database, app_now
from dealreg_shared.web.idempotency import no_key
from dealreg_shared.web.paging import DEFAULT_LIMIT, After, Limit, Page


class Bounce(BaseModel):
    """A person that no mail reaches. The address itself is not shown here."""

    person_id: str
    error: Annotated[str, Field(description="The mail server's status, without its own words")]
    at: Instant

    @classmethod
    def of(cls, row: Fields) -> "Bounce":
        return cls(person_id=row["person_id"], error=row["error"], at=row["at"])


def router(database: Database, authenticator: Authenticator) -> APIRouter:
    routes = APIRouter(prefix="/v1/bounces", tags=["deliveries"])
    staff = authenticator.require("partner_manager", "vp", "ceo", "admin", "auditor")
    Staff = Annotated[Principal, Depends(staff)]
    Admin = Annotated[Principal, Depends(authenticator.require("admin"))]

    @routes.get("", summary="People whose address is refused")
    async def list_bounces(
        _caller: Staff, limit: Limit = DEFAULT_LIMIT, after: After = None
    ) -> Page[Bounce]:
        """The latest first. Mail to these people waits until their address changes."""
        rows, following = await database.read(lambda conn: bounces.page(conn, after, limit))
        return Page(items=[Bounce.of(row) for row in rows], next=following)

    @routes.delete(
        "/{person_id}",
        summary="Try the address again",
        status_code=204,
        openapi_extra=no_key("a second time finds nothing to forget, and changes nothing."),
    )
    async def forget_bounce(person_id: str, _caller: Admin) -> Response:
        """The address is good again: what was put aside in the last seven days is sent."""

        def work(conn: Connection) -> None:
            if not bounces.known(conn, person_id):
                raise NoSuchBounce("no address of this person is refused")
            bounces.forget(conn, [person_id])
            put_aside.revive(conn, person_id, EMAIL, app_now(conn))

        await database.write(work)
        return Response(status_code=204)

    return routes

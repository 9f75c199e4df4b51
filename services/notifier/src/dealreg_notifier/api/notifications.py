"""The inbox over HTTP: a partner's key sees its partner's notices, a staff key its person's."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from dealreg_notifier.api.schemas import Notification
from dealreg_notifier.channels import inbox
from dealreg_notifier.domain.errors import NoSuchNotification, NotYourInbox
from dealreg_notifier.notices import partner
from dealreg_shared.auth import Authenticator, Principal
from dealreg_shared.db import Database, app_now
from dealreg_shared.web.idempotency import no_key
from dealreg_shared.web.paging import DEFAULT_LIMIT, After, Limit, Page

Recipient = Annotated[
    str | None,
    Query(
        max_length=160,
        description="Admins only: another's inbox, a person's id or `partner:<id>`",
    ),
]
Unread = Annotated[bool, Query(description="Only notices that were not marked as read")]


def own_inbox(caller: Principal) -> str | None:
    """The recipient that the caller is; None for a key that stands for nobody."""
    if caller.role == "partner":
        return None if caller.partner_id is None else partner(caller.partner_id)
    return caller.person_id


def router(database: Database, authenticator: Authenticator) -> APIRouter:
    routes = APIRouter(prefix="/v1/notifications", tags=["notifications"])
    Caller = Annotated[Principal, Depends(authenticator.require())]

    @routes.get("", summary="Your notices")
    async def list_notifications(
        caller: Caller,
        limit: Limit = DEFAULT_LIMIT,
        after: After = None,
        unread: Unread = False,
        recipient: Recipient = None,
    ) -> Page[Notification]:
        """The caller's notices, the newest first."""
        own = own_inbox(caller)
        if recipient is not None and recipient != own and caller.role != "admin":
            raise NotYourInbox("only an admin may ask for another's notices")
        wanted = recipient or own
        if wanted is None:
            return Page(items=[])
        rows, following = await database.read(
            lambda conn: inbox.page(conn, wanted, after, limit, unread=unread)
        )
        return Page(items=[Notification.of(row) for row in rows], next=following)

    @routes.get("/{notification_id}", summary="One notice")
    async def read_notification(notification_id: str, caller: Caller) -> Notification:
        """One notice. Another's answers as one that does not exist."""
        own = own_inbox(caller)
        if own is None and caller.role != "admin":
            raise _absent()
        wanted = None if caller.role == "admin" else own
        row = await database.read(lambda conn: inbox.one(conn, notification_id, wanted))
        return Notification.of(row)

    @routes.post(
        "/{notification_id}/read",
        summary="Mark it as read",
        openapi_extra=no_key("marking again changes nothing."),
    )
    async def mark_read(notification_id: str, caller: Caller) -> Notification:
        """Mark one of the caller's own notices as read. Again changes nothing."""
        own = own_inbox(caller)
        if own is None:
            raise _absent()
        row = await database.write(
            lambda conn: inbox.mark_read(conn, notification_id, own, app_now(conn))
        )
        return Notification.of(row)

    return routes


def _absent() -> NoSuchNotification:
    return NoSuchNotification("there is no such notification, or none that you may see")

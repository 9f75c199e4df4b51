"""How a person wants to be told: read and replaced by the person, a partner's key, or an admin."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Connection

from dealreg_notifier import directory, wishes
from dealreg_notifier.api.schemas_preferences import Choices, PreferencesBody, PreferencesView
from dealreg_notifier.domain.errors import NoSuchPerson, NotYourPreferences
from dealreg_notifier.domain.preferences import DEFAULT
from dealreg_notifier.notices import Desk
from dealreg_shared.auth import Authenticator, Principal
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import Database, app_now
from dealreg_shared.web.bodies import JsonBody
from dealreg_shared.web.idempotency import no_key

Person = Annotated[
    str | None,
    Query(
        max_length=128,
        description="Whose: an admin may name anybody, a partner's key a contact of its partner; "
        "else the person of the key",
    ),
]


def router(database: Database, authenticator: Authenticator, desk: Desk) -> APIRouter:
    routes = APIRouter(prefix="/v1/preferences", tags=["preferences"])
    Caller = Annotated[Principal, Depends(authenticator.require())]

    @routes.get("", summary="How you are told")
    async def read_preferences(caller: Caller, person: Person = None) -> PreferencesView:
        """Channels by kind of notice, quiet hours, digest and language. Who never chose anything is told
        at once on every channel."""

        def work(conn: Connection) -> PreferencesView:
            whose = _whose(conn, caller, person)
            wished = wishes.read(conn, [whose]).get(whose, DEFAULT)
            return PreferencesView.of(whose, wished)

        return await database.read(work)

    @routes.put(
        "",
        summary="Change how you are told",
        openapi_extra=no_key("the same wishes twice are the same wishes."),
    )
    async def write_preferences(
        body: JsonBody[PreferencesBody], caller: Caller, person: Person = None
    ) -> PreferencesView:
        """Replaces all of it, for notices to come. Escalations go out at once, whatever is chosen, and
        every notice stands in the inbox."""
        wished = body.checked(desk.channels.keys(), desk.wording.kinds())

        def work(conn: Connection) -> PreferencesView:
            whose = _whose(conn, caller, person)
            wishes.put(conn, whose, wished, app_now(conn))
            crashpoint("preferences.stored")
            return PreferencesView.of(whose, wished)

        return await database.write(work)

    @routes.get("/choices", summary="What can be chosen")
    async def read_choices(_caller: Caller) -> Choices:
        """The groups and kinds of notices, the channels of this installation and the languages."""
        return Choices.of(desk.channels.keys(), desk.wording.kinds())

    return routes


def _whose(conn: Connection, caller: Principal, named: str | None) -> str:
    """The person that the caller may speak for. Another's and an absent one answer alike."""
    whose = named or caller.person_id
    if caller.role == "admin":
        if whose is None:
            raise NotYourPreferences("this key stands for no person; name one with ?person=")
        if not directory.known(conn, whose):
            raise NoSuchPerson("there is no such person")
        return whose
    if whose is not None and caller.role == "partner":
        if caller.partner_id is not None and directory.partner_of(conn, whose) == caller.partner_id:
            return whose
    elif whose is not None and whose == caller.person_id:
        return whose
    if caller.role == "partner":
        raise NotYourPreferences("name a contact of your own company with ?person=")
    if whose is None:
        raise NotYourPreferences(
            "this key stands for no person, so there is nobody to be told; with a person's key you "
            "read and set your own"
        )
    raise NotYourPreferences("they are another's; only an admin may read or set them")

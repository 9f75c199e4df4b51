"""How a route acts on a registration: seen by the caller, at the version it saw, answered once."""

from collections.abc import Callable
from typing import Any

import orjson
from fastapi import Request
from starlette.responses import Response

from dealreg_registration import reading
from dealreg_registration.api.callers import actor_of, idempotency_of
from dealreg_registration.api.errors import not_found
from dealreg_registration.commands import Answer, Command, IdempotencyKey
from dealreg_registration.handlers.on_registration import OnRegistration
from dealreg_registration.writer import AccountWriter
from dealreg_shared.auth import Principal
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import Database
from dealreg_shared.telemetry import current
from dealreg_shared.web import etag, idempotency
from dealreg_shared.web.idempotency import StoredAnswer


class Acting:
    """What the routes of one registration share."""

    def __init__(self, database: Database, writer: AccountWriter) -> None:
        self._database = database
        self._writer = writer

    async def visible(self, registration_id: str, principal: Principal) -> dict[str, Any]:
        """The registration as it stands, if the caller may see it; else there is nothing here."""
        actor, programme = actor_of(principal), self._writer.programme
        view = await programme.read(
            self._database,
            lambda conn: reading.registration_detail(conn, programme, registration_id, actor),
        )
        if view is None:
            raise not_found()
        return view

    async def carry_out(
        self,
        request: Request,
        registration_id: str,
        principal: Principal,
        make: Callable[[int | None], Command],
        *,
        if_match: bool,
    ) -> Response:
        """Run a command on a registration that the caller may see, at the version it saw.

        A retry is answered first: the version that it names is not the present one any more.
        """
        view = await self.visible(registration_id, principal)
        if (earlier := await self.repeated(await self.key_of(request, principal))) is not None:
            return earlier
        seen: int | None = None
        if if_match or "if-match" in request.headers:
            etag.check_if_match(request, view["version"])
            seen = view["version"]
        answer = await self._writer.submit(make(seen))
        crashpoint("acting.committed")
        return respond(answer)

    async def carry_out_on(
        self,
        request: Request,
        registration_id: str,
        principal: Principal,
        kind: type[OnRegistration],
        **what: Any,
    ) -> Response:
        """Run a command of ``kind`` on it; ``If-Match`` may be left out."""
        key = await self.key_of(request, principal)

        def make(seen: int | None) -> Command:
            return kind(
                registration_id=registration_id,
                actor=actor_of(principal),
                correlation_id=current(),
                version=seen,
                idempotency=key,
                **what,
            )

        return await self.carry_out(request, registration_id, principal, make, if_match=False)

    async def repeated(self, key: IdempotencyKey | None) -> Response | None:
        """The answer to a retry: the version that it names is not the present one any more."""
        if key is None:
            return None
        stored = await self._database.read(lambda conn: idempotency.find(conn, key))
        return None if stored is None else respond(stored)

    async def key_of(self, request: Request, principal: Principal) -> IdempotencyKey | None:
        """The request's idempotency key, if it has one."""
        return await key_of(request, principal)


async def key_of(request: Request, principal: Principal) -> IdempotencyKey | None:
    """The request's idempotency key, if it has one."""
    raw = await request.body()
    return idempotency_of(
        principal, request.headers, request.method, request.url.path, raw, required=False
    )


def respond(answer: Answer | StoredAnswer) -> Response:
    """The answer as it was written, with the tag of the version that it names; a stored one alike."""
    version = answer.version if isinstance(answer, Answer) else None
    if version is None:
        version = orjson.loads(answer.body).get("version")
    headers = {} if version is None else {"etag": etag.etag(version)}
    return Response(answer.body, answer.status, headers, media_type="application/json")

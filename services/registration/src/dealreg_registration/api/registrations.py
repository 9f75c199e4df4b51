"""Registrations after filing: preview, read, edit, end. Filing itself is in ``filing_route``."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from dealreg_registration import reading
from dealreg_registration.api.acting import Acting
from dealreg_registration.api.callers import (
    DECIDERS,
    FILERS,
    READERS,
    actor_of,
    filing_partner,
    require_known,
)
from dealreg_registration.api.errors import not_found
from dealreg_registration.api.schemas import AmendBody, ReasonBody, RegistrationBody, ResultBody
from dealreg_registration.commands import Command
from dealreg_registration.handlers.add_lines import AddLines
from dealreg_registration.handlers.amend_registration import AmendRegistration
from dealreg_registration.handlers.end_registration import Act, EndRegistration
from dealreg_registration.handlers.preview_registration import preview
from dealreg_registration.handlers.sweep import sweep
from dealreg_registration.writer import AccountWriter
from dealreg_shared.auth import Authenticator, Principal
from dealreg_shared.db import Database
from dealreg_shared.telemetry import current
from dealreg_shared.web import etag
from dealreg_shared.web.bodies import JsonBody
from dealreg_shared.web.idempotency import no_key
from dealreg_shared.web.paging import DEFAULT_LIMIT, After, Limit
from dealreg_shared.web.problems import Problem

State = Literal[
    "rejected",
    "duplicate",
    "open",
    "referred",
    "protected",
    "extended",
    "contested",
    "expired",
    "withdrawn",
    "superseded",
    "lost",
    "won",
    "closed",
    "revoked",
]


def _has_utc(value: datetime) -> bool:
    """Whether a time has a zone and exists in UTC."""
    try:
        return value.tzinfo is not None and bool(value.astimezone(UTC))
    except OverflowError:
        return False


def registrations_router(
    database: Database, writer: AccountWriter, authenticator: Authenticator
) -> APIRouter:
    """Routes under ``/v1/registrations``."""
    router = APIRouter(prefix="/v1/registrations", tags=["registrations"])
    programme = writer.programme
    acting = Acting(database, writer)
    Filer = Annotated[Principal, Depends(authenticator.require(*FILERS))]
    Reader = Annotated[Principal, Depends(authenticator.require(*READERS))]
    Decider = Annotated[Principal, Depends(authenticator.require(*DECIDERS))]

    @router.post(
        "/preview",
        summary="What would be decided, without filing",
        openapi_extra=no_key("nothing is written."),
    )
    async def preview_registration(
        body: JsonBody[RegistrationBody], principal: Filer
    ) -> dict[str, Any]:
        """Answers territory, never free or taken. Nothing is written, nothing about others is told."""
        filing = body.filing(filing_partner(principal, body.partner_id))
        await require_known(database, programme, principal, filing.partner_id)
        return await programme.read(database, lambda conn: preview(conn, programme, filing))

    @router.get("", summary="Registrations, the newest first")
    async def list_registrations(
        principal: Reader,
        partner_id: str | None = None,
        account_id: str | None = None,
        state: State | None = None,
        product_line: str | None = None,
        result: Literal["won", "lost"] | None = None,
        to_do: Annotated[
            Literal["confirm_offer", "give_information", "show_activity", "decide_extension"]
            | None,
            Query(description="What is to be done about one of its claims"),
        ] = None,
        filed_from: Annotated[datetime | None, Query(description="With zone")] = None,
        filed_before: Annotated[datetime | None, Query(description="With zone")] = None,
        limit: Limit = DEFAULT_LIMIT,
        after: After = None,
    ) -> dict[str, Any]:
        actor = actor_of(principal)
        for name, value in (("filed_from", filed_from), ("filed_before", filed_before)):
            if value is not None and not _has_utc(value):
                raise Problem(
                    422,
                    "invalid-request",
                    "The request breaks a rule",
                    "A time needs a zone.",
                    [{"field": f"?{name}", "rule": "must be a time with a zone, such as ...Z"}],
                )
        chosen = reading.Filter(
            partner_id=partner_id if actor.staff else actor.partner_id,
            account_id=account_id if actor.staff else None,
            state=state,
            product_line=product_line,
            result=result,
            filed_from=filed_from,
            filed_before=filed_before,
            to_do=to_do,
        )
        await sweep(database, writer)
        items, following = await programme.read(
            database,
            lambda conn: reading.registration_page(conn, programme, chosen, after, limit, actor),
        )
        return {"items": items, "next": following}

    @router.get("/{registration_id}", summary="One registration")
    async def read_registration(
        registration_id: str, principal: Reader, response: Response
    ) -> dict[str, Any]:
        view = await acting.visible(registration_id, principal)
        response.headers["etag"] = etag.etag(view["version"])
        return view

    @router.get("/{registration_id}/timeline", summary="What happened to it, in order")
    async def read_timeline(registration_id: str, principal: Reader) -> dict[str, Any]:
        actor = actor_of(principal)
        await sweep(database, writer)
        entries = await database.read(lambda conn: reading.timeline(conn, registration_id, actor))
        if entries is None:
            raise not_found()
        return {"items": entries}

    @router.patch("/{registration_id}", summary="Edit it, add facts, or add product lines")
    async def amend(
        request: Request, registration_id: str, body: JsonBody[AmendBody], principal: Filer
    ) -> Response:
        """Needs `If-Match`. Facts may be added where unknown; open and referred claims are then decided
        again with their old place. Added lines are new claims with new places."""
        actor, key = actor_of(principal), await acting.key_of(request, principal)

        def make(seen: int | None) -> Command:
            if body.product_lines:
                return AddLines(registration_id, body.product_lines, actor, current(), seen, key)
            return AmendRegistration(
                registration_id,
                actor,
                current(),
                seen or 0,
                amount=(body.amount.amount, body.amount.currency) if body.amount else None,
                close_date=body.close_date,
                facts=body.account.facts() if body.account else None,
                contacts=tuple(c.model_dump() for c in body.contacts)
                if body.contacts is not None
                else None,
                idempotency=key,
            )

        return await acting.carry_out(request, registration_id, principal, make, if_match=True)

    async def end(
        request: Request, registration_id: str, principal: Principal, act: Act, reason: str | None
    ) -> Response:
        actor, key = actor_of(principal), await acting.key_of(request, principal)
        return await acting.carry_out(
            request,
            registration_id,
            principal,
            lambda seen: EndRegistration(act, registration_id, actor, current(), reason, seen, key),
            if_match=False,
        )

    @router.post("/{registration_id}/withdraw", summary="Give it up")
    async def withdraw(request: Request, registration_id: str, principal: Filer) -> Response:
        """Standby claims behind it are promoted. Filing again goes to the back."""
        return await end(request, registration_id, principal, "withdraw", None)

    @router.post("/{registration_id}/win", summary="Report the deal won")
    async def win(request: Request, registration_id: str, principal: Filer) -> Response:
        """The first report counts: another result than the one on record is answered 202 and opens a
        case."""
        return await end(request, registration_id, principal, "win", None)

    @router.post("/{registration_id}/lose", summary="Report the deal lost")
    async def lose(
        request: Request,
        registration_id: str,
        principal: Filer,
        body: JsonBody[ResultBody] | None = None,
    ) -> Response:
        """Standby is offered the line. Another result than the one on record is answered 202 and opens a
        case."""
        reason = body.reason if body is not None else None
        return await end(request, registration_id, principal, "lose", reason)

    @router.post("/{registration_id}/revoke", summary="Take it back for cause (staff)")
    async def revoke(
        request: Request,
        registration_id: str,
        body: JsonBody[ReasonBody],
        principal: Decider,
    ) -> Response:
        return await end(request, registration_id, principal, "revoke", body.reason)

    return router

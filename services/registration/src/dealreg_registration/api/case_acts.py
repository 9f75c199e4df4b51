"""What people do with cases: take, review, ask, answer, comment, decide; open one, appeal."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from sqlalchemy import Connection
from starlette.responses import Response

from dealreg_registration import case_reading, naming, reading
from dealreg_registration.api.acting import Acting, key_of, respond
from dealreg_registration.api.callers import CASE_WORKERS, DECIDERS, actor_of
from dealreg_registration.api.errors import not_found
from dealreg_registration.api.schemas_cases import (
    AppealBody,
    DecideBody,
    OpenCaseBody,
    RequestInfoBody,
    ReviewBody,
    TextBody,
)
from dealreg_registration.case_store import other_account_of
from dealreg_registration.commands import Command, IdempotencyKey
from dealreg_registration.handlers.decide_case import DecideCase
from dealreg_registration.handlers.erase_entry import erase_entry
from dealreg_registration.handlers.open_case import AppealClaim, OpenDirectEngagement
from dealreg_registration.handlers.work_on_case import (
    AnswerCase,
    AskParty,
    CommentOnCase,
    ReviewCase,
    TakeCase,
)
from dealreg_registration.writer import AccountWriter
from dealreg_shared.auth import Authenticator, Principal
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import Database
from dealreg_shared.telemetry import current
from dealreg_shared.web import etag
from dealreg_shared.web.bodies import JsonBody
from dealreg_shared.web.idempotency import no_key
from dealreg_shared.web.paging import DEFAULT_LIMIT, After, Limit


def case_acts_router(
    database: Database, writer: AccountWriter, authenticator: Authenticator
) -> APIRouter:
    """Routes that change cases. All but comments and answers need ``If-Match``."""
    router = APIRouter(prefix="/v1", tags=["conflicts"])
    programme, acting = writer.programme, Acting(database, writer)
    Opener = Annotated[Principal, Depends(authenticator.require(*DECIDERS))]
    Decider = Annotated[Principal, Depends(authenticator.require(*CASE_WORKERS))]
    Admin = Annotated[Principal, Depends(authenticator.require("admin"))]
    Partner = Annotated[Principal, Depends(authenticator.require("partner"))]

    async def carry_out(
        key: IdempotencyKey | None, make: Callable[[IdempotencyKey | None], Command]
    ) -> Response:
        """Run a command. A retry is answered first: the version that it names is past."""
        if (earlier := await acting.repeated(key)) is not None:
            return earlier
        answer = await writer.submit(make(key))
        crashpoint("case.committed")
        return respond(answer)

    @router.post(
        "/conflicts", summary="Open a case: direct sales are there already", status_code=201
    )
    async def open_case(
        request: Request, body: JsonBody[OpenCaseBody], principal: Opener
    ) -> Response:
        actor, key = actor_of(principal), await key_of(request, principal)
        return await carry_out(
            key,
            lambda key: OpenDirectEngagement(
                body.registration_id, actor, current(), body.reason, key
            ),
        )

    @router.post("/conflicts/{conflict_id}/take", summary="Take a case on your level")
    async def take(request: Request, conflict_id: str, principal: Decider) -> Response:
        """Lower levels may comment from then on, and no longer decide. Needs `If-Match`."""
        key = await key_of(request, principal)
        seen, actor = etag.versions_seen(request), actor_of(principal)
        return await carry_out(key, lambda key: TakeCase(conflict_id, actor, current(), seen, key))

    @router.post("/conflicts/{conflict_id}/review", summary="Pass a case up with a recommendation")
    async def review(
        request: Request, conflict_id: str, body: JsonBody[ReviewBody], principal: Decider
    ) -> Response:
        """The next level is responsible at once. Needs `If-Match`."""
        key = await key_of(request, principal)
        seen, actor = etag.versions_seen(request), actor_of(principal)
        return await carry_out(
            key,
            lambda key: ReviewCase(
                conflict_id,
                actor,
                current(),
                seen,
                key,
                recommendation=body.recommendation,
                recommended=body.claims,
                text=body.text,
            ),
        )

    @router.post("/conflicts/{conflict_id}/comment", summary="Comment on a case")
    async def comment(
        request: Request, conflict_id: str, body: JsonBody[TextBody], principal: Decider
    ) -> Response:
        """Any staff may; partners never see it."""
        actor, key = actor_of(principal), await key_of(request, principal)
        return await carry_out(
            key,
            lambda key: CommentOnCase(
                conflict_id, actor, current(), idempotency=key, text=body.text
            ),
        )

    @router.post("/conflicts/{conflict_id}/request-info", summary="Ask one party for information")
    async def request_info(
        request: Request, conflict_id: str, body: JsonBody[RequestInfoBody], principal: Decider
    ) -> Response:
        """The clocks stand meanwhile if the plan says so, and never longer than its limit. Needs
        `If-Match`."""
        key = await key_of(request, principal)
        seen, actor = etag.versions_seen(request), actor_of(principal)

        def check(conn: Connection) -> None:
            naming.check_names_no_rival(
                conn, programme, conflict_id, body.registration_id, body.question
            )

        await programme.read(database, check)
        return await carry_out(
            key,
            lambda key: AskParty(
                conflict_id,
                actor,
                current(),
                seen,
                key,
                registration_id=body.registration_id,
                question=body.question,
                hours=body.hours,
            ),
        )

    @router.delete(
        "/conflicts/{conflict_id}/entries/{entry_id}",
        summary="Erase what somebody wrote on a case",
        status_code=204,
        openapi_extra=no_key("erasing again changes nothing."),
    )
    async def erase(conflict_id: str, entry_id: str, principal: Admin) -> None:
        """The text goes, what was done stays. Erasing again changes nothing."""
        actor = actor_of(principal).id
        if not await database.write(lambda conn: erase_entry(conn, conflict_id, entry_id, actor)):
            raise not_found()
        crashpoint("entry.erased")

    @router.get("/questions", summary="What you are asked about conflicts, the newest first")
    async def list_questions(
        principal: Partner, limit: Limit = DEFAULT_LIMIT, after: After = None
    ) -> dict[str, Any]:
        """For partners. Answer on the conflict."""
        partner_id = principal.partner_id or ""
        items, following = await database.read(
            lambda conn: case_reading.questions(conn, partner_id, after, limit)
        )
        return {"items": items, "next": following}

    @router.post("/conflicts/{conflict_id}/answer", summary="Answer what you are asked")
    async def answer(
        request: Request, conflict_id: str, body: JsonBody[TextBody], principal: Partner
    ) -> Response:
        """For a partner that was asked; staff read it in the case's history."""
        actor, key = actor_of(principal), await key_of(request, principal)
        partner_id = principal.partner_id or ""
        if not await database.read(
            lambda conn: case_reading.is_party(conn, conflict_id, partner_id)
        ):
            raise not_found()
        return await carry_out(
            key,
            lambda key: AnswerCase(conflict_id, actor, current(), idempotency=key, text=body.text),
        )

    @router.post("/conflicts/{conflict_id}/decide", summary="Rule on a case")
    async def decide(
        request: Request, conflict_id: str, body: JsonBody[DecideBody], principal: Decider
    ) -> Response:
        """Everything that follows is done in one transaction, and both sides are told. Needs
        `If-Match`: of two who decide at once, one is told what the other did. `departs` names the
        similar cases that were ruled otherwise, all of them alike."""
        key = await key_of(request, principal)
        seen, actor = etag.versions_seen(request), actor_of(principal)
        await programme.read(
            database,
            lambda conn: naming.check_names_nobody(conn, programme, conflict_id, body.reason),
        )
        other = await database.read(lambda conn: other_account_of(conn, conflict_id))
        return await carry_out(
            key,
            lambda key: DecideCase(
                conflict_id,
                actor,
                current(),
                body.to_ruling(),
                body.reason,
                seen,
                other,
                idempotency=key,
            ),
        )

    @router.post(
        "/registrations/{registration_id}/appeal",
        summary="Appeal what became of a claim",
        status_code=201,
    )
    async def appeal(
        request: Request, registration_id: str, body: JsonBody[AppealBody], principal: Partner
    ) -> Response:
        """Once for each claim that was rejected, closed or revoked, in time, with new evidence. Somebody
        above whoever ruled looks at it."""
        actor, key = actor_of(principal), await key_of(request, principal)
        view = await programme.read(
            database,
            lambda conn: reading.registration_detail(conn, programme, registration_id, actor),
        )
        if view is None:
            raise not_found()
        return await carry_out(
            key,
            lambda key: AppealClaim(
                registration_id,
                actor,
                current(),
                body.product_line,
                body.text,
                body.evidence,
                tuple(view["evidence"]),
                idempotency=key,
            ),
        )

    return router

"""What may happen to a claim while it lives: offers, questions, extensions, signs of life."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import Field, StringConstraints
from starlette.responses import Response

from dealreg_registration.api.acting import Acting
from dealreg_registration.api.callers import DECIDERS, FILERS
from dealreg_registration.handlers.answer_offer import AnswerOffer
from dealreg_registration.handlers.ask_information import AskInformation
from dealreg_registration.handlers.extend_protection import AskExtension, DecideExtension
from dealreg_registration.handlers.give_information import GiveInformation
from dealreg_registration.handlers.note_activity import NoteActivity
from dealreg_registration.writer import AccountWriter
from dealreg_shared.auth import Authenticator, Principal
from dealreg_shared.db import Database
from dealreg_shared.web.bodies import JsonBody, StrictBody

Words = Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True)]
Lines = Annotated[
    tuple[Annotated[str, StringConstraints(min_length=1, max_length=64)], ...],
    Field(max_length=50, description="Product lines or SKUs meant; left out, all it can be about"),
]
Evidence = tuple[Words, ...]


class LinesBody(StrictBody):
    product_lines: Lines = ()


class QuestionBody(LinesBody):
    question: Annotated[Words, Field(description="The partner reads it; it must name no person")]


class InformationBody(LinesBody):
    text: Words
    evidence: Annotated[Evidence, Field(max_length=20)] = ()


class ExtensionBody(LinesBody):
    evidence: Annotated[Evidence, Field(min_length=1, max_length=20)]
    text: Words | None = None


class GrantBody(LinesBody):
    reason: Words | None = None


class RefusalBody(LinesBody):
    reason: Annotated[Words, Field(description="The partner reads it; it must name no person")]


class ActivityBody(StrictBody):
    note: Words


def life_router(
    database: Database, writer: AccountWriter, authenticator: Authenticator
) -> APIRouter:
    """Further routes under ``/v1/registrations/{id}``."""
    router = APIRouter(prefix="/v1/registrations/{registration_id}", tags=["registrations"])
    acting = Acting(database, writer)
    Filer = Annotated[Principal, Depends(authenticator.require(*FILERS))]
    Decider = Annotated[Principal, Depends(authenticator.require(*DECIDERS))]

    carry_out = acting.carry_out_on

    async def answer_offer(
        request: Request,
        registration_id: str,
        principal: Principal,
        answer_is: Literal["accept", "decline"],
        body: LinesBody | None,
    ) -> Response:
        return await carry_out(
            request,
            registration_id,
            principal,
            AnswerOffer,
            answer_is=answer_is,
            product_lines=body.product_lines if body is not None else (),
        )

    @router.post("/offer/accept", summary="Confirm that you take the line that is offered to you")
    async def accept(
        request: Request,
        registration_id: str,
        principal: Filer,
        body: JsonBody[LinesBody] | None = None,
    ) -> Response:
        """Protected for a full term from now on."""
        return await answer_offer(request, registration_id, principal, "accept", body)

    @router.post("/offer/decline", summary="Let an offered line pass")
    async def decline(
        request: Request,
        registration_id: str,
        principal: Filer,
        body: JsonBody[LinesBody] | None = None,
    ) -> Response:
        """The claim keeps its place for whatever ends next; to give it up, withdraw."""
        return await answer_offer(request, registration_id, principal, "decline", body)

    @router.post("/request-info", summary="Ask the partner something (staff)")
    async def request_information(
        request: Request,
        registration_id: str,
        body: JsonBody[QuestionBody],
        principal: Decider,
    ) -> Response:
        """To be answered within the plan's business days; else the claims lapse as withdrawn. Standby is
        skipped meanwhile."""
        return await carry_out(
            request,
            registration_id,
            principal,
            AskInformation,
            question=body.question,
            product_lines=body.product_lines,
        )

    @router.post("/information", summary="Answer what the vendor asked")
    async def give_information(
        request: Request,
        registration_id: str,
        body: JsonBody[InformationBody],
        principal: Filer,
    ) -> Response:
        return await carry_out(
            request,
            registration_id,
            principal,
            GiveInformation,
            text=body.text,
            evidence=body.evidence,
            product_lines=body.product_lines,
        )

    @router.post("/extension", summary="Ask for an extension of the protection")
    async def ask_extension(
        request: Request,
        registration_id: str,
        body: JsonBody[ExtensionBody],
        principal: Filer,
    ) -> Response:
        """Before the protection ends, with evidence. A claim is extended once."""
        return await carry_out(
            request,
            registration_id,
            principal,
            AskExtension,
            evidence=body.evidence,
            text=body.text,
            product_lines=body.product_lines,
        )

    @router.post("/extension/grant", summary="Grant the extension (staff)")
    async def grant_extension(
        request: Request,
        registration_id: str,
        principal: Decider,
        body: JsonBody[GrantBody] | None = None,
    ) -> Response:
        """The plan's days are added to the end of the protection."""
        return await carry_out(
            request,
            registration_id,
            principal,
            DecideExtension,
            decision="grant",
            reason=body.reason if body is not None else None,
            product_lines=body.product_lines if body is not None else (),
        )

    @router.post("/extension/refuse", summary="Refuse the extension, with a reason (staff)")
    async def refuse_extension(
        request: Request,
        registration_id: str,
        body: JsonBody[RefusalBody],
        principal: Decider,
    ) -> Response:
        return await carry_out(
            request,
            registration_id,
            principal,
            DecideExtension,
            decision="refuse",
            reason=body.reason,
            product_lines=body.product_lines,
        )

    @router.post("/activity", summary="Say that you still work on the deal")
    async def note_activity(
        request: Request,
        registration_id: str,
        body: JsonBody[ActivityBody],
        principal: Filer,
    ) -> Response:
        """Where the plan releases idle protections; any edit counts as well."""
        return await carry_out(request, registration_id, principal, NoteActivity, note=body.note)

    return router

"""Transfers of protections with both sides' consent, and objections to an overlap."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from dealreg_registration.api.acting import Acting
from dealreg_registration.api.callers import DECIDERS, FILERS, READERS, actor_of
from dealreg_registration.api.errors import not_found
from dealreg_registration.api.schemas_handover import ObjectionBody, TransferBody
from dealreg_registration.handlers.object_to_overlap import ObjectToOverlap
from dealreg_registration.handlers.sweep import sweep
from dealreg_registration.handlers.transfer_registration import AnswerTransfer, TransferRegistration
from dealreg_registration.receipting import draft
from dealreg_registration.transfer_rows import find_transfer, transfer_page
from dealreg_registration.writer import AccountWriter
from dealreg_shared.auth import Authenticator, Principal
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import Database
from dealreg_shared.ids import new_id
from dealreg_shared.telemetry import current
from dealreg_shared.web.bodies import JsonBody
from dealreg_shared.web.paging import DEFAULT_LIMIT, After, Limit


def transfers_router(
    database: Database, writer: AccountWriter, authenticator: Authenticator
) -> APIRouter:
    """Routes under ``/v1/transfers``, and two under ``/v1/registrations/{id}``."""
    router = APIRouter(prefix="/v1", tags=["transfers"])
    acting = Acting(database, writer)
    Party = Annotated[Principal, Depends(authenticator.require("partner"))]
    Filer = Annotated[Principal, Depends(authenticator.require(*FILERS))]
    Decider = Annotated[Principal, Depends(authenticator.require(*DECIDERS))]
    Reader = Annotated[Principal, Depends(authenticator.require(*READERS))]

    @router.post("/registrations/{registration_id}/transfer", summary="Ask for a transfer (staff)")
    async def transfer(
        request: Request, registration_id: str, body: JsonBody[TransferBody], principal: Decider
    ) -> Response:
        """Both sides must accept within the plan's business days. What is left of the running term
        passes, never a new one; standby stays behind it."""
        return await acting.carry_out_on(
            request,
            registration_id,
            principal,
            TransferRegistration,
            product_lines=body.product_lines,
            to_partner=body.to_partner,
            reason=body.reason,
        )

    @router.post("/registrations/{registration_id}/object", summary="Object to a line being taken")
    async def object_to(
        request: Request, registration_id: str, body: JsonBody[ObjectionBody], principal: Filer
    ) -> Response:
        """Where the plan opens conflicts only when disputed: the conflict opens now, and its deadlines
        count from now."""
        return await acting.carry_out_on(
            request,
            registration_id,
            principal,
            ObjectToOverlap,
            product_lines=body.product_lines,
            reason=body.reason,
        )

    @router.get("/transfers", summary="Transfers, the newest first")
    async def list_transfers(
        principal: Reader, limit: Limit = DEFAULT_LIMIT, after: After = None
    ) -> dict[str, Any]:
        """A partner sees those it is a side of; `you_are` says which."""
        actor = actor_of(principal)
        await sweep(database, writer)
        items, following = await database.read(
            lambda conn: transfer_page(conn, after, limit, actor)
        )
        return {"items": items, "next": following}

    async def answer(
        request: Request, transfer_id: str, principal: Principal, act: Literal["accept", "decline"]
    ) -> Response:
        actor, key = actor_of(principal), await acting.key_of(request, principal)
        found = await database.read(lambda conn: find_transfer(conn, transfer_id, actor))
        if found is None:
            raise not_found()
        given = await writer.submit(
            AnswerTransfer(
                transfer_id=found.id,
                registration_id=found.registration_id,
                act=act,
                actor=actor,
                new_registration_id=(made := new_id("reg")),
                receipt=draft(made),
                correlation_id=current(),
                idempotency=key,
            )
        )
        crashpoint("transfer.committed")
        return Response(given.body, given.status, media_type="application/json")

    @router.post("/transfers/{transfer_id}/accept", summary="Consent, as one of the two sides")
    async def accept(request: Request, transfer_id: str, principal: Party) -> Response:
        """Once both sides have accepted, the protection has passed."""
        return await answer(request, transfer_id, principal, "accept")

    @router.post("/transfers/{transfer_id}/decline", summary="Refuse, as one of the two sides")
    async def decline(request: Request, transfer_id: str, principal: Party) -> Response:
        return await answer(request, transfer_id, principal, "decline")

    return router

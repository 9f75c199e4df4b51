"""Referrals: what is offered to a partner, what of its own is referred, and the answers."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from dealreg_registration import referral_reading
from dealreg_registration.api.acting import Acting
from dealreg_registration.api.callers import FILERS, READERS, actor_of
from dealreg_registration.api.errors import not_found
from dealreg_registration.api.schemas_handover import AcceptBody
from dealreg_registration.commands import Command
from dealreg_registration.domain.referral import Referral
from dealreg_registration.handlers.answer_referral import AcceptReferral, DeclineReferral
from dealreg_registration.handlers.consent_referral import ConsentToReferral
from dealreg_registration.handlers.sweep import sweep
from dealreg_registration.receipting import draft
from dealreg_registration.writer import AccountWriter
from dealreg_shared.auth import Authenticator, Principal
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import Database
from dealreg_shared.ids import new_id
from dealreg_shared.telemetry import current
from dealreg_shared.web.bodies import JsonBody
from dealreg_shared.web.paging import DEFAULT_LIMIT, After, Limit

State = Literal["offered", "accepted", "declined", "lapsed", "ended"]


def referrals_router(
    database: Database, writer: AccountWriter, authenticator: Authenticator
) -> APIRouter:
    """Routes under ``/v1/referrals``, and the referrer's consent."""
    router = APIRouter(prefix="/v1", tags=["referrals"])
    acting = Acting(database, writer)
    programme = writer.programme
    Filer = Annotated[Principal, Depends(authenticator.require(*FILERS))]
    Reader = Annotated[Principal, Depends(authenticator.require(*READERS))]

    async def found(referral_id: str, principal: Principal) -> Referral:
        actor = actor_of(principal)
        referral = await database.read(
            lambda conn: referral_reading.find_referral(conn, referral_id, actor)
        )
        if referral is None:
            raise not_found()
        return referral

    async def submit(command: Command) -> Response:
        answer = await writer.submit(command)
        crashpoint("referral.committed")
        return Response(answer.body, answer.status, media_type="application/json")

    @router.get("/referrals", summary="Referrals, the newest first")
    async def list_referrals(
        principal: Reader,
        state: State | None = None,
        limit: Limit = DEFAULT_LIMIT,
        after: After = None,
    ) -> dict[str, Any]:
        """A partner sees those offered to it, and its own; `you_are` says which. Until the referrer
        consents, the target sees the account and the product line only."""
        actor = actor_of(principal)
        await sweep(database, writer)
        items, following = await programme.read(
            database,
            lambda conn: referral_reading.referral_page(
                conn, programme, state, after, limit, actor
            ),
        )
        return {"items": items, "next": following}

    @router.get("/referrals/{referral_id}", summary="One referral")
    async def read_referral(referral_id: str, principal: Reader) -> dict[str, Any]:
        actor = actor_of(principal)
        await sweep(database, writer)
        view = await programme.read(
            database,
            lambda conn: referral_reading.referral_detail(conn, programme, referral_id, actor),
        )
        if view is None:
            raise not_found()
        return view

    @router.post("/referrals/{referral_id}/accept", summary="Take it: a registration of your own")
    async def accept(
        request: Request,
        referral_id: str,
        principal: Filer,
        body: JsonBody[AcceptBody] | None = None,
    ) -> Response:
        """Decided by the rules at this instant. Amount and close date may be left out once the
        referring partner has let its details pass."""
        key = await acting.key_of(request, principal)
        referral, given = await found(referral_id, principal), body or AcceptBody()
        return await submit(
            AcceptReferral(
                referral_id=referral.id,
                registration_id=referral.registration_id,
                actor=actor_of(principal),
                new_registration_id=(made := new_id("reg")),
                receipt=draft(made),
                correlation_id=current(),
                amount=(given.amount.amount, given.amount.currency) if given.amount else None,
                close_date=given.close_date,
                deal_type=given.deal_type,
                contacts=tuple(contact.model_dump() for contact in given.contacts),
                idempotency=key,
            )
        )

    @router.post("/referrals/{referral_id}/decline", summary="Leave it to the next")
    async def decline(request: Request, referral_id: str, principal: Filer) -> Response:
        key = await acting.key_of(request, principal)
        referral = await found(referral_id, principal)
        actor = actor_of(principal)
        return await submit(
            DeclineReferral(referral.id, referral.registration_id, actor, current(), key)
        )

    @router.post(
        "/registrations/{registration_id}/consent",
        summary="Let details pass to whom it is referred",
    )
    async def consent(request: Request, registration_id: str, principal: Filer) -> Response:
        """Your name, amount, close date, tags, contacts and evidence, for those to whom it is offered
        now or who took it; whom it is offered to later needs your consent anew."""
        actor, key = actor_of(principal), await acting.key_of(request, principal)
        return await acting.carry_out(
            request,
            registration_id,
            principal,
            lambda seen: ConsentToReferral(registration_id, actor, current(), seen, key),
            if_match=False,
        )

    return router

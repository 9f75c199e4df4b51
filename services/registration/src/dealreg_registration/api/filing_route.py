"""``POST /v1/registrations``, the hot path: a plain route, and the stored answer's bytes as they are.

The framework's layers, body and response handling cost half of the throughput here (see benchmarks/), so
this one route reads its body with the model directly; its OpenAPI description is added by ``describe``.
"""

from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from dealreg_registration.api.callers import (
    FILERS,
    actor_of,
    filing_partner,
    idempotency_of,
    require_known,
)
from dealreg_registration.api.errors import problem_for
from dealreg_registration.api.schemas import RegistrationBody
from dealreg_registration.commands import Target
from dealreg_registration.domain.errors import DomainError
from dealreg_registration.handlers.file_registration import FileRegistration
from dealreg_registration.receipting import draft
from dealreg_registration.writer import AccountWriter
from dealreg_shared.auth import Authenticator
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import Database
from dealreg_shared.ids import new_id
from dealreg_shared.telemetry import current
from dealreg_shared.web.app import HotRoute
from dealreg_shared.web.bodies import whole
from dealreg_shared.web.problems import is_json, unsupported_media_type

PATH = "/v1/registrations"

REPLAYED = "idempotency-replayed"
"""Header of an answer that was given before and is repeated now."""


def filing_route(
    database: Database, writer: AccountWriter, authenticator: Authenticator
) -> HotRoute:
    """The route, for ``new_app(hot=...)``."""

    async def file_registration(request: Request) -> Response:
        principal = await authenticator.authenticate(request.headers, *FILERS)
        raw = await whole(request.receive)
        if not is_json(request):
            raise unsupported_media_type(request)
        key = idempotency_of(principal, request.headers, "POST", PATH, raw, required=True)
        body = RegistrationBody.parse(raw)
        filing = body.filing(filing_partner(principal, body.partner_id))
        await require_known(database, writer.programme, principal, filing.partner_id, key)
        actor, registration_id = actor_of(principal), new_id("reg")
        command = FileRegistration(
            filing=filing,
            target=Target(
                keys=filing.keys(),
                name=filing.account_name,
                facts=filing.facts,
                said_by="staff" if actor.staff else "partner",
                renewal=filing.deal_type == "renewal",
            ),
            actor=actor,
            registration_id=registration_id,
            receipt=draft(registration_id, raw),
            correlation_id=current(),
            idempotency=key,
        )
        try:
            answer = await writer.submit(command)
        except DomainError as refusal:
            raise problem_for(refusal) from refusal
        crashpoint("file.committed")
        # A stored answer speaks of the registration that was made then.
        again = registration_id.encode() not in answer.body
        headers = {REPLAYED: "true"} if again else None
        return Response(answer.body, answer.status, headers, media_type="application/json")

    return HotRoute("POST", PATH, file_registration)


def describe(app: FastAPI) -> None:
    """Add the route to the application's OpenAPI document."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        document = described()
        paths = document.setdefault("paths", {})
        if "post" in paths.get(PATH, {}):
            return document
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schema = RegistrationBody.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas["RegistrationBody"] = schema
        paths.setdefault(PATH, {})["post"] = {
            "tags": ["registrations"],
            "summary": "Register a deal",
            "description": "Decided at once, with the reasons. Send an `Idempotency-Key`: a retry with "
            "the same key and body gets the first answer, byte for byte, with the header "
            "`Idempotency-Replayed: true`.",
            "operationId": "file_registration",
            "parameters": [
                {
                    "name": "Idempotency-Key",
                    "in": "header",
                    "required": True,
                    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
                }
            ],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {"$ref": "#/components/schemas/RegistrationBody"}
                    }
                },
            },
            "responses": {
                "201": {
                    "description": "Stored and decided; `claims` says how and why.",
                    "content": {"application/json": {"schema": {"type": "object"}}},
                },
                "default": {"$ref": "#/components/responses/Problem"},
            },
            "security": [{"HTTPBearer": []}],
        }
        problem = {
            "description": "A problem",
            "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            },
        }
        document["components"].setdefault("responses", {})["Problem"] = problem
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI documents it

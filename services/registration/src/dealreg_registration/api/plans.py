"""Plans: validate, publish, read, compare. For staff; publishing is for admins."""

import asyncio
from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Path, Query, Request
from sqlalchemy import Connection, insert, select
from starlette.responses import Response

from dealreg_registration.api.callers import READERS, STAFF, actor_of, idempotency_of
from dealreg_registration.api.errors import not_found
from dealreg_registration.api.programme_parts import ProgrammeParts
from dealreg_registration.api.schemas_programme import (
    diff_view,
    fault_view,
    faulty_plan,
    plan_view,
    report_view,
)
from dealreg_registration.domain.plan_diff import diff_plans
from dealreg_registration.handlers.publish_plan import Published, prepare, publish_plan
from dealreg_registration.plan_content import to_yaml
from dealreg_registration.plan_schema import plan_schema
from dealreg_registration.plan_validation import PlanReport, validate_plan
from dealreg_registration.plan_yaml import MAX_BYTES
from dealreg_registration.plans import ShelvedPlan
from dealreg_registration.programme_store import known_people, lock_programme, number_in_force
from dealreg_registration.tables import idempotency as idempotency_rows
from dealreg_registration.tables_programme import plan
from dealreg_shared.auth import Principal
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import app_now
from dealreg_shared.telemetry import current
from dealreg_shared.web import idempotency
from dealreg_shared.web.idempotency import StoredAnswer, no_key
from dealreg_shared.web.paging import DEFAULT_LIMIT, After, Limit, Position, after, page
from dealreg_shared.web.problems import Problem

LARGER_BODIES = {"/v1/plans": MAX_BYTES, "/v1/plans/validate": MAX_BYTES}
"""Paths whose bodies may be larger than others'."""

MOST_CHANGES = 5_000

YAML = "application/yaml"

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object"}},
            YAML: {"schema": {"type": "string"}},
        },
    }
}
_READS = "nothing is written."
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
_COLUMNS = (
    plan.c.number,
    plan.c.in_force_from,
    plan.c.published_at,
    plan.c.published_by,
    plan.c.content_hash,
)


def plans_router(parts: ProgrammeParts) -> APIRouter:
    """Routes under ``/v1/plans``, and ``/v1/plan-schema``."""
    router = APIRouter(prefix="/v1", tags=["plans"])
    database = parts.database
    Staff = Annotated[Principal, Depends(parts.authenticator.require(*STAFF))]
    Admin = Annotated[Principal, Depends(parts.authenticator.require("admin"))]
    Reader = Annotated[Principal, Depends(parts.authenticator.require(*READERS))]

    async def report_on(raw: bytes) -> PlanReport:
        people = await database.read(known_people)
        # A large plan takes seconds: in a thread, so that others are answered meanwhile.
        return await asyncio.to_thread(
            validate_plan, raw, people=people.reachable, erased=people.erased
        )

    async def shelved(number: int) -> ShelvedPlan:
        found = await database.read(lambda conn: parts.shelf.get(conn, number))
        if found is None:
            raise not_found()
        return found

    @router.post("/plans/validate", summary="Check a plan", openapi_extra=_BODY | no_key(_READS))
    async def validate(request: Request, _caller: Staff) -> dict[str, Any]:
        """Every fault at once, each with its path in the document and what is allowed, and warnings.
        Takes YAML or JSON up to 20 MB. Nothing is written."""
        return report_view(await report_on(await request.body()))

    @router.post("/plans", summary="Publish a plan", status_code=201, openapi_extra=_BODY)
    async def publish(
        request: Request,
        principal: Admin,
        in_force_from: Annotated[
            datetime | None, Query(description="RFC 3339 with zone; left out: at once")
        ] = None,
    ) -> Response:
        """Publishes a numbered, immutable version. Takes YAML or JSON up to 20 MB, and an
        `Idempotency-Key`. A plan with faults changes nothing and is answered with all of them."""
        _zoned("in_force_from", in_force_from)
        raw = await request.body()
        key = idempotency_of(
            principal,
            request.headers,
            request.method,
            f"{request.url.path}?{request.url.query}",
            raw,
            required=False,
        )

        def stored(conn: Connection) -> StoredAnswer | None:
            if key is None:
                return None
            return idempotency.lookup(conn, key.scope, key.key, key.request_hash)

        answer = await database.read(stored)
        if answer is None:
            report = await report_on(raw)
            if report.document is None:
                raise faulty_plan(report.faults)
            prepared = await asyncio.to_thread(prepare, report.document)

            def work(conn: Connection) -> StoredAnswer:
                lock_programme(conn)
                if (earlier := stored(conn)) is not None:
                    return earlier
                published = publish_plan(
                    conn,
                    prepared,
                    in_force_from,
                    outbox=parts.outbox,
                    programme=parts.programme,
                    actor=actor_of(principal).id,
                    correlation_id=current(),
                )
                body = _published(published, report)
                if key is not None:
                    conn.execute(
                        insert(idempotency_rows),
                        idempotency.row(
                            key.scope,
                            key.key,
                            key.request_hash,
                            201,
                            body,
                            published.published_at,
                        ),
                    )
                return StoredAnswer(201, body)

            answer = await database.write(work)
            crashpoint("plan.committed")
            parts.committed()
            await parts.plans_changed()
            crashpoint("plan.loaded")
        number = orjson.loads(answer.body)["number"]
        return Response(
            answer.body,
            answer.status,
            {"location": f"/v1/plans/{number}"},
            media_type="application/json",
        )

    @router.get("/plans", summary="Published plans, the newest first")
    async def list_plans(
        _caller: Staff, limit: Limit = DEFAULT_LIMIT, after: After = None
    ) -> dict[str, Any]:
        return await database.read(lambda conn: _plan_page(conn, limit, after))

    @router.get("/plans/in-force", summary="Which plan was in force at a time")
    async def in_force(
        _caller: Staff,
        at: Annotated[datetime | None, Query(description="With zone; left out: now")] = None,
    ) -> dict[str, Any]:
        _zoned("at", at)

        def work(conn: Connection) -> Any:
            number = number_in_force(conn, at or app_now(conn))
            row = conn.execute(select(*_COLUMNS).where(plan.c.number == number)).first()
            return row and plan_view(row, number_in_force(conn, app_now(conn)))

        found: dict[str, Any] | None = await database.read(work)
        if found is None:
            raise not_found()
        return found

    @router.get("/plans/{number}", summary="One plan, as JSON or as YAML to edit")
    async def read_plan(
        request: Request,
        number: Number,
        _caller: Staff,
        as_format: Annotated[Literal["json", "yaml"] | None, Query(alias="format")] = None,
    ) -> Response:
        """JSON gives the publication with the `document`; YAML (`format=yaml`, or by `Accept`) the
        document alone, ready to be edited and published again. People's names and addresses are not
        part of a published plan; one that is published again keeps those on record."""
        wanted = as_format or ("yaml" if "yaml" in request.headers.get("accept", "") else "json")
        if wanted == "yaml":
            found = await shelved(number)
            return Response(await asyncio.to_thread(to_yaml, found.content), media_type=YAML)
        body = await database.read(lambda conn: _whole_plan(conn, number))
        if body is None:
            raise not_found()
        return Response(body, media_type="application/json")

    @router.get("/plans/{number}/diff/{other}", summary="What changed between two plans")
    async def diff(number: Number, other: Number, _caller: Staff) -> dict[str, Any]:
        """From the first to the second: items added, removed and changed, field by field, each with a
        sentence."""
        before, after_ = await shelved(number), await shelved(other)

        def compare() -> dict[str, Any]:
            return diff_view(diff_plans(before.content, after_.content), MOST_CHANGES)

        return {"from": number, "to": other, **await asyncio.to_thread(compare)}

    @router.get("/plan-schema", summary="JSON Schema of a plan document")
    async def schema(_caller: Reader) -> Response:
        return Response(orjson.dumps(plan_schema()), media_type="application/schema+json")

    return router


def _published(published: Published, report: PlanReport) -> bytes:
    return orjson.dumps(
        {
            **plan_view(published, None),
            "in_force": published.in_force_from <= published.published_at,
            "warnings": [fault_view(fault) for fault in report.warnings],
        }
    )


def _plan_page(conn: Connection, limit: int, cursor: str | None) -> dict[str, Any]:
    query = select(*_COLUMNS)
    # Numbers order plans by themselves; the text column only completes the cursor.
    rows, following = page(
        conn.execute(
            after(query, plan.c.number, plan.c.content_hash, cursor, limit, descending=True)
        ).all(),
        limit,
        lambda row: Position(row.number, row.content_hash),
    )
    in_force = number_in_force(conn, app_now(conn))
    return {"items": [plan_view(row, in_force) for row in rows], "next": following}


def _whole_plan(conn: Connection, number: int) -> bytes | None:
    row = conn.execute(select(*_COLUMNS, plan.c.document).where(plan.c.number == number)).first()
    if row is None:
        return None
    view = orjson.dumps(plan_view(row, number_in_force(conn, app_now(conn))))
    # The document is JSON text already: it is passed on, not read.
    text: str = row.document
    return view[:-1] + b',"document":' + text.encode() + b"}"


def _zoned(name: str, value: datetime | None) -> None:
    if value is not None and value.tzinfo is None:
        raise Problem(
            422,
            "invalid-request",
            "The request breaks a rule",
            f"`{name}` needs a zone.",
            [{"field": f"?{name}", "rule": "must be a time such as 2027-03-31T12:00:00Z"}],
        )

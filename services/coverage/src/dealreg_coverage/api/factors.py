"""Factors that staff set by hand. ``If-Match`` is needed to change or take back what stands."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import Connection

from dealreg_coverage import store
from dealreg_coverage.api.schemas import FactorState, HandSetBody, HandSetOut
from dealreg_coverage.api.scores import READERS
from dealreg_coverage.domain.picture import CellKey
from dealreg_coverage.domain.plan import MarketId
from dealreg_coverage.domain.sums import HandSet
from dealreg_coverage.handlers.desk import Desk
from dealreg_coverage.handlers.hand_set import (
    Address,
    CheckVersion,
    Given,
    require_cell,
    set_factor,
    take_back,
)
from dealreg_shared.auth import Authenticator, Principal
from dealreg_shared.contracts.people import Role
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import Database, app_now
from dealreg_shared.web.bodies import JsonBody
from dealreg_shared.web.etag import check_if_match, etag
from dealreg_shared.web.idempotency import no_key

SETTERS: tuple[Role, ...] = ("partner_manager", "vp", "ceo", "admin")

_ONCE = "`If-Match` lets it act once; after a lost answer, read what stands."

PATH = "/{partner}/{region}/{segment}/{factor}"


def _address(partner: str, region: str, segment: str, factor: str) -> Address:
    return Address(CellKey(partner, MarketId(region, segment)), factor)


Where = Annotated[Address, Depends(_address)]


def router(database: Database, authenticator: Authenticator, desk: Desk) -> APIRouter:
    routes = APIRouter(prefix="/v1/coverage/factors", tags=["factors"])
    Reader = Annotated[Principal, Depends(authenticator.require(*READERS))]
    Setter = Annotated[Principal, Depends(authenticator.require(*SETTERS))]

    @routes.get(PATH, summary="What was set by hand")
    async def read_factor(where: Where, _caller: Reader, response: Response) -> FactorState:
        """What was set by hand, if anything, with the ETag to change it."""

        def work(conn: Connection) -> tuple[FactorState, int]:
            return _state(conn, desk, where)

        state, version = await database.read(work)
        response.headers["etag"] = etag(version)
        return state

    @routes.put(PATH, summary="Set a factor by hand", openapi_extra=no_key(_ONCE))
    async def put_factor(
        where: Where,
        body: JsonBody[HandSetBody],
        caller: Setter,
        request: Request,
        response: Response,
    ) -> FactorState:
        """Set a factor by hand until a day. Without ``If-Match`` only where nothing is set."""
        given = Given(
            int(body.value * 100), body.reason, body.until, caller.person_id or caller.key_id
        )

        def work(conn: Connection) -> tuple[FactorState, int]:
            set_factor(conn, desk, where, given, _check(request))
            return _state(conn, desk, where)

        state, version = await database.write(work)
        crashpoint("coverage.factor_committed")
        response.headers["etag"] = etag(version)
        return state

    @routes.delete(
        PATH,
        status_code=204,
        summary="Take back what was set by hand",
        openapi_extra=no_key(_ONCE),
    )
    async def delete_factor(where: Where, _caller: Setter, request: Request) -> Response:
        """Take back what was set by hand; the computed value counts again."""
        await database.write(lambda conn: take_back(conn, desk, where, _check(request)))
        crashpoint("coverage.factor_taken_back")
        return Response(status_code=204)

    return routes


def _check(request: Request) -> CheckVersion:
    def check(version: int, stands: bool) -> None:
        if stands or "if-match" in request.headers:
            check_if_match(request, version)

    return check


def _state(conn: Connection, desk: Desk, where: Address) -> tuple[FactorState, int]:
    now = app_now(conn)
    plan = require_cell(desk.shelf.in_force(conn, now), where)
    given, version = store.find_hand_set(conn, where.key, where.factor)
    return (
        FactorState(
            as_of=now,
            plan_number=plan.number,
            partner_id=where.key.partner_id,
            market=str(where.key.market),
            factor=where.factor,
            hand_set=_current(given, now.date().isoformat()),
        ),
        version,
    )


def _current(given: HandSet | None, today: str) -> HandSetOut | None:
    if given is None or given.until_day <= today:
        return None
    return HandSetOut.of(given, staff=True)

"""An application with a route of each kind, and what every problem it answers must look like."""

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from typing import Any

import httpx
from fastapi import APIRouter, FastAPI
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from dealreg_shared.contracts.base import DecimalString
from dealreg_shared.web.app import new_app
from dealreg_shared.web.bodies import JsonBody, StrictBody
from dealreg_shared.web.problems import Problem

JSON = {"content-type": "application/json"}


class Line(StrictBody):
    product: str = Field(max_length=20)
    tags: dict[str, list[str]] = Field(default={})


class Filing(StrictBody):
    name: str
    close: date
    amount: DecimalString = Decimal(0)
    seats: int | None = None
    renewal: bool = False
    lines: list[Line] = Field(default=[], max_length=3)


def make_app() -> FastAPI:
    async def plain(request: Request) -> Response:
        return Response(Filing.parse(await request.body()).model_dump_json())

    app = new_app(
        "Shop",
        "1",
        service="shop",
        max_body=20_000,
        routes=[Route("/plain", plain, methods=["POST"])],
    )
    router = APIRouter(prefix="/v1")

    @router.post("/filings")
    async def file(body: JsonBody[Filing]) -> Filing:
        return body

    @router.get("/filings/{number}")
    async def one(number: int, page: int = 1) -> int:
        return number + page

    @router.get("/refused")
    async def refused() -> None:
        raise Problem(
            409, "line-held", "The line is held", "Somebody was first.", headers={"x-why": "first"}
        )

    @router.get("/broken")
    async def broken() -> None:
        raise RuntimeError("secret inside")

    @router.get("/half")
    async def half() -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"one"
            raise RuntimeError("torn")

        return StreamingResponse(pieces())

    app.include_router(router)
    return app


def client(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop")


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, body["status"], body["type"]) == (
        status,
        status,
        f"/problems/{code}",
    )
    assert body["title"]
    assert body["detail"]
    assert body["correlation_id"] == response.headers["x-correlation-id"]
    return body

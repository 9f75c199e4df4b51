"""Correlation, metrics, health: what an operator sees of a service."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from dealreg_shared.telemetry import correlation_id, metrics, traceparent
from dealreg_shared.telemetry.correlation import accept
from dealreg_shared.web.app import new_app

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def failing() -> bool:
    raise ConnectionError("postgres at db:5432 is away")


async def well() -> bool:
    return True


async def unwell() -> bool:
    return False


def make_app(service: str, **checks: Callable[[], Awaitable[object]]) -> FastAPI:
    async def plain(_request: Request) -> Response:
        return JSONResponse([correlation_id.get(), traceparent.get()])

    app = new_app(
        "Shop",
        "1",
        service=service,
        checks=checks,
        routes=[Route("/v1/plain/{deal}/lines/{line}", plain)],
    )
    router = APIRouter(prefix="/v1/deals")

    @router.get("/{deal}/parts/{part}")
    async def part(deal: str, part: int) -> list[str | None]:
        await asyncio.sleep(0)
        return [correlation_id.get(), traceparent.get()]

    app.include_router(router)
    return app


async def opened(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://s") as http:
        yield http


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async for client in opened(make_app("telemetry-shop", database=well)):
        yield client


PATHS = ["/v1/plain/7/lines/8", "/v1/deals/7/parts/8"]


@pytest.mark.parametrize("path", PATHS)
async def test_a_callers_correlation_id_is_used_and_returned(
    path: str, http: httpx.AsyncClient
) -> None:
    response = await http.get(path, headers={"X-Correlation-Id": "order-7", "traceparent": TRACE})

    assert response.json() == ["order-7", TRACE]
    assert response.headers["x-correlation-id"] == "order-7"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert correlation_id.get() is None


async def test_a_trace_alone_gives_the_id(http: httpx.AsyncClient) -> None:
    response = await http.get(PATHS[0], headers={"traceparent": TRACE})

    assert response.json() == ["4bf92f3577b34da6a3ce929d0e0e4736", TRACE]


@pytest.mark.parametrize("bad", ["", "a b", "x" * 65, "<script>", "-a", "é"])
async def test_an_odd_id_is_replaced(bad: str, http: httpx.AsyncClient) -> None:
    response = await http.get(PATHS[0], headers=[(b"x-correlation-id", bad.encode("latin-1"))])

    assert response.headers["x-correlation-id"].startswith("cor_")
    assert response.json() == [response.headers["x-correlation-id"], None]


@given(st.text(), st.text())
def test_nothing_odd_is_accepted(given_id: str, trace: str) -> None:
    current, parent = accept(given_id, trace)

    assert current.isascii()
    assert 1 <= len(current) <= 64
    assert "\n" not in current
    assert parent is None


NO_TRACE = "00-" + "0" * 32 + TRACE[35:]
NO_SPAN = TRACE[:36] + "0" * 16 + "-01"


@pytest.mark.parametrize("trace", [NO_TRACE, NO_SPAN, "01" + TRACE[2:], TRACE + "-x"])
def test_a_trace_that_the_standard_forbids_is_ignored(trace: str) -> None:
    assert accept(None, trace)[1] is None


def count(service: str, route: str, status: int, method: str = "GET") -> float:
    labels = {"service": service, "method": method, "route": route, "status": str(status)}
    return metrics.REGISTRY.get_sample_value("dealreg_http_request_seconds_count", labels) or 0.0


async def test_requests_are_counted_by_route_never_by_path(http: httpx.AsyncClient) -> None:
    for number in range(3):
        await http.get(f"/v1/plain/{number}/lines/v1")
        await http.get(f"/v1/deals/deals/parts/{number}")
        await http.get(f"/nowhere/{number}")
    await http.request("BREW", "/v1/deals/1/parts/1")
    await http.get("/docs-files/docs.js")

    assert count("telemetry-shop", "/v1/plain/{deal}/lines/{line}", 200) >= 3
    assert count("telemetry-shop", "/v1/deals/{deal}/parts/{part}", 200) >= 3
    assert count("telemetry-shop", "none", 404) == 3
    exposed = (await http.get("/metrics")).text
    assert "nowhere" not in exposed
    assert "BREW" not in exposed
    assert 'route="/docs-files/{path}"' in exposed


async def test_a_mounted_service_counts_its_own_routes() -> None:
    parent = Starlette(routes=[Mount("/shop", make_app("mounted-shop"))])
    async for client in opened(parent):
        response = await client.get("/shop/v1/deals/7/parts/8")
        assert response.status_code == 200
        docs = await client.get("/shop/docs")
        assert docs.status_code == 200

    assert count("mounted-shop", "/v1/deals/{deal}/parts/{part}", 200) == 1


async def test_metrics_are_in_the_prometheus_format(http: httpx.AsyncClient) -> None:
    response = await http.get("/metrics")

    assert response.headers["content-type"].startswith("text/plain; version=")
    assert "# TYPE dealreg_http_request_seconds histogram" in response.text
    assert "process_resident_memory_bytes" in response.text


async def test_ready_means_that_every_check_passes() -> None:
    async for client in opened(make_app("a", database=well, bus=well)):
        response = await client.get("/readyz")
        assert (response.status_code, response.json()) == (
            200,
            {"status": "ready", "checks": {"database": "ok", "bus": "ok"}},
        )


async def test_not_ready_names_the_check_but_not_the_reason() -> None:
    async for client in opened(make_app("b", database=failing, bus=unwell, disk=well)):
        response = await client.get("/readyz")
        assert (response.status_code, response.json()) == (
            503,
            {
                "status": "not ready",
                "checks": {"database": "failing", "bus": "failing", "disk": "ok"},
            },
        )
        assert "5432" not in response.text
        assert (await client.get("/healthz")).status_code == 200


async def test_a_check_that_hangs_is_failing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dealreg_shared.telemetry.health.CHECK_SECONDS", 0.02)
    async for client in opened(make_app("c", bus=asyncio.Event().wait)):
        response = await client.get("/readyz")
        assert (response.status_code, response.json()["checks"]) == (503, {"bus": "failing"})

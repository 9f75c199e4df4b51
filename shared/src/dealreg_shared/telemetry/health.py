"""``/healthz``, ``/readyz`` and ``/metrics``.

Healthy means that the process answers; a supervisor restarts what is not. Ready means that every named
check passes now; a balancer sends no traffic to what is not. Checks raise or return False to fail; the
answer names which one failed, never why in detail, since anyone may ask.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from dealreg_shared.telemetry import metrics
from dealreg_shared.telemetry.logs import get_logger

Check = Callable[[], Awaitable[object]]

CHECK_SECONDS = 5.0

_NO_STORE = {"cache-control": "no-store"}


Note = Callable[[], str]
"""Says in a word how something is that is worth knowing but no reason to send no traffic."""


def routes(checks: Mapping[str, Check], notes: Mapping[str, Note] | None = None) -> list[BaseRoute]:
    """The three routes. ``checks`` by name, such as ``{"database": ..., "bus": bus.healthy}``."""

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"}, headers=_NO_STORE)

    async def readyz(_request: Request) -> Response:
        results = await asyncio.gather(*(_passes(name, check) for name, check in checks.items()))
        outcome = {
            name: "ok" if ok else "failing" for name, ok in zip(checks, results, strict=True)
        }
        ready = all(results)
        return JSONResponse(
            {"status": "ready" if ready else "not ready", "checks": outcome}
            | ({"notes": {name: note() for name, note in notes.items()}} if notes else {}),
            status_code=200 if ready else 503,
            headers=_NO_STORE,
        )

    async def expose(_request: Request) -> Response:
        return Response(
            await asyncio.to_thread(metrics.exposition),
            headers={"content-type": metrics.CONTENT_TYPE, **_NO_STORE},
        )

    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", expose),
    ]


async def _passes(name: str, check: Check) -> bool:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check() is not False
    except Exception as error:  # whatever a check raises means the same: not ready
        get_logger(__name__).warning("readiness check failed", check=name, error=repr(error))
        return False

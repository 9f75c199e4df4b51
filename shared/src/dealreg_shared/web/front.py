"""``GET /``: what answers here, and where to go on. For whoever knows the address only."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


def front_route(service: str, version: str, more: Mapping[str, object] | None = None) -> Route:
    """The route. ``more`` is added to what it says."""

    async def front(request: Request) -> Response:
        base = request.scope.get("root_path", "")
        return JSONResponse(
            {
                "service": service,
                "version": version,
                **(more or {}),
                "links": {
                    name: f"{base}/{name}"
                    for name in ("docs", "openapi.json", "healthz", "readyz", "metrics")
                },
            }
        )

    return Route("/", front)

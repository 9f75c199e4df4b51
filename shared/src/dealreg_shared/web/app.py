"""Makes a service's FastAPI application: every error a problem, limits, health, metrics, offline docs.

A service adds its routers; nothing here knows what they do.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dealreg_shared.telemetry import Check, Note, Requests
from dealreg_shared.telemetry.health import routes as health_routes
from dealreg_shared.web.docs_page import docs_routes
from dealreg_shared.web.front import front_route
from dealreg_shared.web.idempotency import describe_keys
from dealreg_shared.web.limits import MAX_BODY, RequestLimits
from dealreg_shared.web.problems import MEDIA_TYPE, Unforeseen, install
from dealreg_shared.web.queries import KnownQuery

_PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457. `code` of the rule is the last part of `type`.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["/problems/invalid-request"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "correlation_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "rule"],
                "properties": {
                    "field": {"type": "string", "description": "JSON pointer into the body"},
                    "rule": {"type": "string"},
                },
            },
        },
    },
}


@dataclass(frozen=True, slots=True)
class HotRoute:
    """A route whose every microsecond counts: an exact path without query parameters, and an endpoint
    that raises nothing but ``Problem``."""

    method: str
    path: str
    endpoint: Callable[[Request], Awaitable[Response]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["endpoint"] = self.endpoint
        response = await self.endpoint(Request(scope, receive))
        await response(scope, receive, send)


class _Application(FastAPI):
    """FastAPI, with a way around its layers for hot routes; these take as long as such a route itself
    (see benchmarks/). Our own layers stand on both ways."""

    def __init__(self, *, hot: Sequence[HotRoute], **settings: Any) -> None:
        super().__init__(**settings)
        self._hot = hot
        self._direct: Mapping[tuple[str, str], ASGIApp] = {}

    def through(self, layers: Callable[[ASGIApp], ASGIApp]) -> None:
        """Put our own layers before the hot routes."""
        self._direct = {(route.method, route.path): layers(route) for route in self._hot}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            direct = self._direct.get((scope["method"], scope["path"]))
            if direct is not None:
                scope["app"] = self
                await direct(scope, receive, send)
                return
        await super().__call__(scope, receive, send)


def new_app(
    title: str,
    version: str,
    *,
    service: str,
    description: str = "",
    checks: Mapping[str, Check] | None = None,
    notes: Mapping[str, Note] | None = None,
    routes: Sequence[BaseRoute] = (),
    hot: Sequence[HotRoute] = (),
    max_body: int = MAX_BODY,
    larger_bodies: Mapping[str, int] | None = None,
) -> FastAPI:
    """An application named ``service`` in metrics, with ``/healthz``, ``/readyz`` (all ``checks`` pass;
    ``notes`` are told beside), ``/metrics``, ``/docs``, ``/openapi.json`` and ``/``, which names them.

    ``routes`` are plain Starlette routes, tried first; ``hot`` ones are also reached around the
    framework's layers. ``larger_bodies`` gives the paths that take more than ``max_body`` bytes, and
    how much.
    """
    app = _Application(
        hot=hot,
        title=title,
        version=version,
        description=description,
        routes=[
            *(Route(route.path, route.endpoint, methods=[route.method]) for route in hot),
            *routes,
            front_route(service, version),
            *health_routes(checks or {}, notes),
            *docs_routes(title),
        ],
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.openapi = _with_problems(app)  # type: ignore[method-assign]  # as FastAPI documents it
    # The one added last is the outermost: correlation and measuring, then the last catch, then limits.
    layers: Sequence[Callable[[ASGIApp], ASGIApp]] = (
        lambda inner: KnownQuery(
            inner, routes=lambda: app.routes, bare=[(route.method, route.path) for route in hot]
        ),
        lambda inner: RequestLimits(inner, max_body=max_body, larger_bodies=larger_bodies),
        Unforeseen,
        lambda inner: Requests(inner, service=service),
    )
    for layer in layers:
        app.add_middleware(layer)
    install(app)
    app.through(lambda inner: reduce(lambda made, layer: layer(made), layers, inner))
    return app


def _with_problems(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """FastAPI describes its own kind of 422, which nobody gets here; describe problems instead."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                separate_input_output_schemas=app.separate_input_output_schemas,
            )
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas.pop("HTTPValidationError", None)
            schemas.pop("ValidationError", None)
            schemas["Problem"] = _PROBLEM_SCHEMA
            problem = {
                "description": "A problem",
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }
            for path in document.get("paths", {}).values():
                for operation in path.values():
                    responses = operation.get("responses", {})
                    if "HTTPValidationError" in str(responses.get("422", "")):
                        del responses["422"]
                    responses.setdefault("default", problem)
            describe_keys(document)
            app.openapi_schema = document
        return app.openapi_schema

    return describe

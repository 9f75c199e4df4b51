"""Three services as one: built on one bus, their applications behind one port.

Requests are handed to the service whose API description has their path; what is nobody's goes to the
first service, which answers 404 as it always does. The joined description, readiness and docs page are
made here. Must not know what any service does.
"""

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router, compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from dealreg_shared.runtime import Service
from dealreg_shared.web.docs_page import docs_routes
from dealreg_shared.web.front import front_route

TITLE = "Dealreg"

Now = Callable[[], datetime]


class OverlappingPaths(Exception):
    """Two services describe the same path, so that one port cannot serve both."""


class Joined:
    """The ASGI application of several services. Reads their descriptions at the first request."""

    def __init__(self, services: Sequence[Service]) -> None:
        self._apps: Mapping[str, ASGIApp] = {service.name: service.app for service in services}
        self._first = services[0].app
        self._own = Router(
            [
                Route("/openapi.json", self._openapi),
                Route("/readyz", self._ready),
                Route("/", self._front),
                *docs_routes(TITLE),
            ]
        )
        self._lock = asyncio.Lock()
        self._description: dict[str, Any] | None = None
        self._exact: list[tuple[re.Pattern[str], ASGIApp]] = []
        self._families: dict[str, ASGIApp] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._first(scope, receive, send)
            return
        path: str = scope["path"]
        if path in ("/", "/openapi.json", "/readyz", "/docs") or path.startswith("/docs-files/"):
            await self._own(scope, receive, send)
            return
        await self.description()
        await self._app_for(path)(scope, receive, send)

    def _app_for(self, path: str) -> ASGIApp:
        family = self._families.get(_family(path))
        if family is not None:
            return family
        return next((app for pattern, app in self._exact if pattern.match(path)), self._first)

    async def description(self) -> dict[str, Any]:
        """One OpenAPI document with the paths and schemas of all services."""
        async with self._lock:
            if self._description is None:
                documents = {
                    name: (await _ask(app, "/openapi.json")).json()
                    for name, app in self._apps.items()
                }
                self._description = join_descriptions(documents)
                self._learn(documents)
            return self._description

    def _learn(self, documents: Mapping[str, dict[str, Any]]) -> None:
        """Remember which service answers what. A family (``/v1/registrations``) that only one service
        has is found by its name alone; where several share one, or it is not fixed, the whole path
        tells."""
        owners: dict[str, set[str]] = {}
        for name, document in documents.items():
            for path in document["paths"]:
                owners.setdefault(_family(path), set()).add(name)
        for name, document in documents.items():
            for path in document["paths"]:
                family = _family(path)
                if owners[family] == {name} and "{" not in family:
                    self._families[family] = self._apps[name]
                else:
                    self._exact.append((compile_path(path)[0], self._apps[name]))

    async def _openapi(self, _request: Request) -> Response:
        return JSONResponse(await self.description())

    async def _front(self, request: Request) -> Response:
        info = (await self.description())["info"]
        route = front_route(TITLE.lower(), info["version"], {"services": list(self._apps)})
        answer: Response = await route.endpoint(request)
        return answer

    async def _ready(self, _request: Request) -> Response:
        checks: dict[str, str] = {}
        notes: dict[str, str] = {}
        ready = True
        for name, app in self._apps.items():
            answer = await _ask(app, "/readyz")
            ready = ready and answer.status_code == httpx.codes.OK
            for check, outcome in answer.json()["checks"].items():
                checks[f"{name} {check}"] = outcome
            for about, note in answer.json().get("notes", {}).items():
                notes[f"{name} {about}"] = note
        return JSONResponse(
            {"status": "ready" if ready else "not ready", "checks": checks}
            | ({"notes": notes} if notes else {}),
            status_code=200 if ready else 503,
            headers={"cache-control": "no-store"},
        )


def _family(path: str) -> str:
    return "/".join(path.split("/")[:3])


async def _ask(app: ASGIApp, path: str) -> httpx.Response:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://dealreg.internal"
    ) as client:
        return await client.get(path)


def join_descriptions(documents: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The OpenAPI documents of several services as one, operations tagged by service.

    Schemas of one name that differ get their service's name in front. Raises ``OverlappingPaths`` when
    two services describe one path.
    """
    joined: dict[str, Any] = {"openapi": "3.1.0", "paths": {}, "components": {}, "tags": []}
    versions: set[str] = set()
    for service, original in documents.items():
        document = _apart(service, original, joined["components"].get("schemas", {}))
        versions.add(document["info"]["version"])
        joined["openapi"] = max(joined["openapi"], document["openapi"])
        joined["tags"].append(
            {"name": service, "description": document["info"].get("description", "")}
        )
        for path, operations in document["paths"].items():
            if path in joined["paths"]:
                raise OverlappingPaths(f"{service} and another service both describe {path}")
            joined["paths"][path] = {
                method: {
                    **operation,
                    "tags": [service],
                    "operationId": f"{service}_{operation.get('operationId', path)}",
                }
                if isinstance(operation, dict)
                else operation
                for method, operation in operations.items()
            }
        for kind, parts in document.get("components", {}).items():
            joined["components"].setdefault(kind, {}).update(parts)
    joined["info"] = {
        "title": TITLE,
        "version": ", ".join(sorted(versions)),
        "description": "All services in one process.",
    }
    return joined


def _apart(service: str, document: dict[str, Any], taken: Mapping[str, Any]) -> dict[str, Any]:
    """The document with those schemas renamed that mean something else elsewhere."""
    schemas = document.get("components", {}).get("schemas", {})
    clashes = [name for name, schema in schemas.items() if taken.get(name, schema) != schema]
    text = json.dumps(document)
    for name in clashes:
        text = text.replace(
            f'"#/components/schemas/{name}"', f'"#/components/schemas/{service}_{name}"'
        )
    apart: dict[str, Any] = json.loads(text)
    for name in clashes:
        renamed = apart["components"]["schemas"]
        renamed[f"{service}_{name}"] = renamed.pop(name)
    return apart

"""ASGI middleware that gives each request its correlation id and measures it.

Plain ASGI, because every request pays for it. Metrics are labelled by the route's template, never by
the path that a caller chose.
"""

from time import perf_counter
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dealreg_shared.telemetry import correlation, metrics

_DURATION = metrics.histogram(
    "dealreg_http_request_seconds",
    "Time from a request's head to the end of its answer.",
    "service",
    "method",
    "route",
    "status",
)

_NO_SNIFFING = (b"x-content-type-options", b"nosniff")
"""An answer that repeats what somebody filed must never be taken for a page."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Requests:
    """Outermost layer of a service's HTTP application."""

    def __init__(self, app: ASGIApp, service: str) -> None:
        self._app = app
        self._service = service
        # prometheus_client looks a child up under a lock; the combinations are few, so keep them.
        self._children: dict[tuple[Any, str, int], Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = trace = None
        for name, value in scope["headers"]:
            if name == b"x-correlation-id":
                given = value.decode("latin-1")
            elif name == b"traceparent":
                trace = value.decode("latin-1")
        current, parent = correlation.accept(given, trace)
        header = (b"x-correlation-id", current.encode())
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), header, _NO_SNIFFING]
            await send(message)

        tokens = correlation.correlation_id.set(current), correlation.traceparent.set(parent)
        root = scope.get("root_path", "")
        started = perf_counter()
        try:
            await self._app(scope, receive, answer)
        finally:
            self._observe(scope, root, status, perf_counter() - started)
            correlation.correlation_id.reset(tokens[0])
            correlation.traceparent.reset(tokens[1])

    def _observe(self, scope: Scope, root: str, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        key = (scope.get("endpoint"), method, status)
        child = self._children.get(key)
        if child is None:
            template = "none" if key[0] is None else route_template(scope, root)
            child = _DURATION.labels(self._service, method, template, str(status))
            self._children[key] = child
        child.observe(seconds)


def route_template(scope: Scope, root: str) -> str:
    """The matched route's path with its parameters by name, such as ``/v1/conflicts/{id}``.

    Worked out from the path and the parameters' values, since no framework version in use tells the
    whole template of a route in an included router. ``root`` is where the application is mounted.
    """
    path: str = scope["path"].removeprefix(root)
    mount: str = scope.get("root_path", "")
    if mount != root:  # a mounted application took it, and its paths are its own affair
        return f"{mount.removeprefix(root)}/{{path}}"
    end = len(path)
    for name, value in reversed(scope.get("path_params", {}).items()):
        start = path.rfind(f"/{value}", 0, end)
        if start >= 0:
            path = f"{path[:start]}/{{{name}}}{path[start + 1 + len(str(value)) :]}"
            end = start
    return path

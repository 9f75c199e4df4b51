"""ASGI middleware that refuses query parameters which the route does not describe.

A filter with a slip in its name would otherwise be no filter at all, and nobody would notice. What a
route takes is read from its API description when it is first asked with a query, so paths that are not
described (``/docs``, ``/metrics``) take anything. Requests without a query pay for nothing.
"""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cached_property

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.datastructures import QueryParams
from starlette.routing import BaseRoute, compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from dealreg_shared.web.problems import Problem, pointer


@dataclass
class _Described:
    """A route that the API description knows."""

    context: RouteContext
    path: re.Pattern[str]
    methods: Collection[str]

    @cached_property
    def parameters(self) -> frozenset[str]:
        # Of this route alone: the whole description takes a hundred times as long.
        document = get_openapi(title="", version="", routes=[self.context])
        [operations] = document["paths"].values()
        return frozenset(
            parameter["name"]
            for operation in operations.values()
            for parameter in operation.get("parameters", ())
            if parameter["in"] == "query"
        )


class KnownQuery:
    """Answers 422 that names every unknown parameter of ``routes()``; ``bare`` are the (method, path) of
    further routes, which take none."""

    def __init__(
        self,
        app: ASGIApp,
        routes: Callable[[], Iterable[BaseRoute]],
        bare: Collection[tuple[str, str]] = (),
    ) -> None:
        self._app = app
        self._routes = routes
        self._bare = frozenset(bare)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["query_string"]:
            known = self._known(scope)
            if known is not None:
                given = dict.fromkeys(QueryParams(scope["query_string"]))
                unknown = [name for name in given if name not in known]
                if unknown:
                    await _refusal(unknown, known).response()(scope, receive, send)
                    return
        await self._app(scope, receive, send)

    @cached_property
    def _described(self) -> list[_Described]:
        return [
            _Described(context, compile_path(context.path or "")[0], context.methods or ())
            for context in iter_route_contexts(list(self._routes()))
            if isinstance(context.original_route, APIRoute) and context.include_in_schema
        ]

    def _known(self, scope: Scope) -> frozenset[str] | None:
        """What the route takes; None where nothing is described."""
        method, path = scope["method"], scope["path"].removeprefix(scope.get("root_path", ""))
        if (method, path) in self._bare:
            return frozenset()
        for route in self._described:
            if method in route.methods and route.path.match(path):
                return route.parameters
        return None


def _refusal(unknown: list[str], known: frozenset[str]) -> Problem:
    allowed = f"known here: {', '.join(sorted(known))}" if known else "none is known here"
    return Problem(
        422,
        "invalid-request",
        "The request breaks a rule",
        "Each entry of `errors` names a field and the rule that it breaks.",
        [
            {"field": pointer(("query", name)), "rule": f"is not a known parameter; {allowed}"}
            for name in unknown
        ],
    )

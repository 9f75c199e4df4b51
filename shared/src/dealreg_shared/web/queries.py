"""ASGI middleware that refuses query parameters which the route does not describe.

A filter with a slip in its name would otherwise be no filter at all, and nobody would notice. What a
route takes is read from the API description, so paths that are not in it (``/docs``, ``/metrics``) take
anything. Requests without a query pay for nothing.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from starlette.datastructures import QueryParams
from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from dealreg_shared.web.problems import Problem, pointer

Described = list[tuple[re.Pattern[str], Mapping[str, frozenset[str]]]]
"""Path -> method -> the names of its query parameters, the paths with fewest variables first."""


class KnownQuery:
    """Answers 422 that names every unknown parameter. ``describe`` gives the OpenAPI document."""

    def __init__(self, app: ASGIApp, describe: Callable[[], Mapping[str, Any]]) -> None:
        self._app = app
        self._describe = describe
        self._described: Described | None = None

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

    def _known(self, scope: Scope) -> frozenset[str] | None:
        """What the route takes; None where nothing is described."""
        if self._described is None:
            self._described = _described(self._describe())
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        methods = next((found for regex, found in self._described if regex.match(path)), {})
        return methods.get(scope["method"].lower())


def _described(document: Mapping[str, Any]) -> Described:
    paths = sorted(document.get("paths", {}).items(), key=lambda item: item[0].count("{"))
    return [
        (
            compile_path(path)[0],
            {
                method: frozenset(
                    parameter["name"]
                    for parameter in operation.get("parameters", ())
                    if parameter["in"] == "query"
                )
                for method, operation in operations.items()
            },
        )
        for path, operations in paths
    ]


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

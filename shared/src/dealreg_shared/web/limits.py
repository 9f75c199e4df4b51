"""ASGI middleware that refuses what no route should ever see: bodies too large, and NUL in the address.

Plain ASGI, because every request pays for it. A body without a declared length is counted as it comes.
"""

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dealreg_shared.web.problems import Problem

MAX_BODY = 262_144
"""Bytes."""


class RequestLimits:
    """Refuses bodies over ``max_body`` bytes (413) and addresses that contain NUL (404).

    ``larger_bodies`` gives the paths that take more, and how much.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_body: int = MAX_BODY,
        larger_bodies: Mapping[str, int] | None = None,
    ) -> None:
        self._app = app
        self._max_body = max_body
        self._larger_bodies = larger_bodies or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if b"%00" in scope["query_string"] or "\0" in scope["path"]:
            # No stored text contains NUL, and PostgreSQL fails on a search for it.
            await _nothing_here().response()(scope, receive, send)
            return
        most = self._larger_bodies.get(scope["path"], self._max_body)
        for name, value in scope["headers"]:
            if name == b"content-length" and (
                not value.isdigit() or len(value) > 12 or int(value) > most
            ):
                await _too_large(most).response()(scope, receive, send)
                return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > most:
                    raise _too_large(most)
            return message

        await self._app(scope, counted, send)


def _too_large(most: int) -> Problem:
    return Problem(
        413,
        "body-too-large",
        "The body is too large",
        f"At most {most} bytes are accepted here.",
    )


def _nothing_here() -> Problem:
    return Problem(
        404, "not-found", "There is nothing here", "No such resource, or none that you may see."
    )

"""New notices as server-sent events: for pages, so that nobody has to ask again and again.

At least once: after ``Last-Event-ID`` some notices may come again; a page knows them by id.
The stream ends when its key is revoked or expires.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from starlette.responses import StreamingResponse

from dealreg_notifier import streams
from dealreg_notifier.api.notifications import own_inbox
from dealreg_notifier.api.schemas import Notification
from dealreg_notifier.streams import SLOW, Listener, Listeners, Notice
from dealreg_shared.auth import Authenticator, Principal
from dealreg_shared.db import Database
from dealreg_shared.web import paging
from dealreg_shared.web.paging import Position
from dealreg_shared.web.problems import Problem

RECONNECT = "retry: 3000\n\n"
HEARTBEAT = ": \n\n"

LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID", max_length=1000, description="`id` of the last event that arrived"
    ),
]


def router(
    database: Database, authenticator: Authenticator, listeners: Listeners, heartbeat: float
) -> APIRouter:
    routes = APIRouter(prefix="/v1/notifications", tags=["notifications"])
    Caller = Annotated[Principal, Depends(authenticator.require())]

    @routes.get(
        "/stream",
        summary="Your notices as they come",
        response_class=StreamingResponse,
        responses={
            200: {
                "description": "Server-sent events `notice`, each with a notice as JSON",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            }
        },
    )
    async def stream_notifications(
        request: Request, caller: Caller, last_event_id: LastEventId = None
    ) -> StreamingResponse:
        """Events `notice`, each a notice as JSON, from now on; with `Last-Event-ID`, first what came
        since."""
        recipient = own_inbox(caller)
        if recipient is None:
            raise Problem(
                403,
                "no-inbox",
                "This key has no inbox",
                "Only a partner's key or a person's key has notices of its own.",
            )
        since = None if last_event_id is None else paging.decode(last_event_id).sort_key
        if since is not None and not isinstance(since, datetime):
            raise Problem(
                422, "invalid-event-id", "That is no event of this stream", "Leave it out."
            )
        if not listeners.room(caller.key_id):
            raise Problem(
                429,
                "too-many-streams",
                "Too many streams are open",
                "Close another stream, or ask GET /v1/notifications from time to time.",
                headers={"retry-after": "30"},
            )
        listener, before = await database.read(
            lambda conn: streams.arrive(conn, recipient, caller.key_id, since)
        )
        lines = _lines(
            listeners,
            listener,
            before,
            still_good=partial(authenticator.still_good, request.headers),
            heartbeat=heartbeat,
        )
        return StreamingResponse(
            lines,
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    return routes


async def _lines(
    listeners: Listeners,
    listener: Listener,
    before: Sequence[Notice],
    *,
    still_good: Callable[[], Awaitable[bool]],
    heartbeat: float,
) -> AsyncIterator[str]:
    """The stream's text. The key is looked at again with every heartbeat."""
    with listeners.listening(listener):
        yield RECONNECT
        for row in before:
            yield event(row)
        checked = monotonic()
        while True:
            arrived = await _next(listener, heartbeat)
            if arrived is SLOW:
                return
            if monotonic() - checked >= heartbeat:
                if not await still_good():
                    return
                checked = monotonic()
            if arrived is None:
                yield HEARTBEAT
            else:
                yield event(arrived)


async def _next(listener: Listener, seconds: float) -> Notice | None:
    """What arrives within ``seconds``; None: nothing."""
    try:
        async with asyncio.timeout(seconds):
            return await listener.queue.get()
    except TimeoutError:
        return None


def event(row: Notice) -> str:
    """A notice as an event. Its id is where a listener left off."""
    id_ = paging.encode(Position(row["created_at"], row["notification_id"]))
    return f"id: {id_}\nevent: notice\ndata: {Notification.of(row).model_dump_json()}\n\n"

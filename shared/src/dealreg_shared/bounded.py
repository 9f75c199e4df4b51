"""Waits for a call no longer than we said, also when it does not let itself be cancelled.

``asyncio.timeout`` waits for what it cancelled to end, and a client library or a database that is stuck
may never end. Such a call is left behind. Must not know what it waits for.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")

CANCEL_SECONDS = 1.0
"""How long a call that was cancelled may take to tidy up."""


async def bounded(seconds: float, work: Awaitable[T], *, tidying: float | None = None) -> T:
    """What ``work`` gives or raises; TimeoutError when it has not ended in time.

    Then it is cancelled and, where it has not ended ``tidying`` seconds later (None:
    ``CANCEL_SECONDS``), stays behind. Who wants to know when it does end gives a task.
    """
    task = asyncio.ensure_future(work)
    task.add_done_callback(_look_away)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=CANCEL_SECONDS if tidying is None else tidying)
    if not task.done() or task.cancelled():
        raise TimeoutError
    return task.result()


def _look_away(task: asyncio.Future[Any]) -> None:
    """What a call raises that nobody waits for any more is nobody's concern."""
    if not task.cancelled():
        task.exception()

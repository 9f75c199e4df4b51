"""What to do with a client library that no longer reacts: wait no longer than we said, then end.

A call that was cut off may leave tasks behind that nobody can reach; only the end of the process
removes them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from dealreg_shared.bounded import bounded
from dealreg_shared.bus.port import BusError
from dealreg_shared.restart import RestartNeeded
from dealreg_shared.telemetry import get_logger


class BusStuck(RestartNeeded):
    """The bus's client cannot be mended in this process: exit code 75, and a new one."""


async def within(seconds: float, work: Awaitable[Any]) -> bool:
    """Whether ``work`` ended in time, with or without an ordinary error of its own."""
    try:
        await bounded(seconds, let_go(work))
    except TimeoutError:
        return False
    return True


async def let_go(work: Awaitable[Any]) -> None:
    """Await ``work``, which closes something of the bus."""
    try:
        await work
    except Exception as error:  # closing what is broken already: any error of it says only that
        get_logger(__name__).warning("an error while letting go of the bus", error=repr(error))


async def ends(
    work: "asyncio.Task[None]", healthy: Callable[[], Awaitable[bool]], seconds: float
) -> bool:
    """Whether ``work`` ends in time. Raises ``BusStuck`` if not, although the bus answers meanwhile."""
    well = await healthy()
    await asyncio.wait([work], timeout=seconds)
    if work.done():
        return True
    if well and await healthy():
        raise BusStuck("a client of the bus does not let go although the bus answers")
    return False


class Discarded:
    """The client that was thrown away last: two at once would mix up what they send."""

    def __init__(self) -> None:
        self._going: asyncio.Task[None] | None = None

    def let_go(self, work: Awaitable[Any]) -> None:
        """``work`` closes a client that is no longer used."""
        self._going = asyncio.create_task(let_go(work))

    async def gone(self, healthy: Callable[[], Awaitable[bool]], seconds: float) -> None:
        """Until it has let go. Raises ``BusError`` if that takes longer and the bus is away;
        ``BusStuck`` if the bus answers."""
        if self._going is None:
            return
        if not await ends(self._going, healthy, seconds):
            raise BusError("the last client has not let go, and the bus does not answer")
        self._going = None

    async def abandon(self, seconds: float) -> None:
        """Wait for it no longer than this."""
        if self._going is not None:
            self._going.cancel()
            await asyncio.wait([self._going], timeout=seconds)

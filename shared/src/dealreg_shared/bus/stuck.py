"""What to do with a client library that no longer reacts: wait no longer than we said, then end.

A call that was cut off may leave tasks behind that nobody can reach; only the end of the process
removes them.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any

from dealreg_shared.restart import RestartNeeded
from dealreg_shared.telemetry import get_logger


class BusStuck(RestartNeeded):
    """The bus's client cannot be mended in this process: exit code 75, and a new one."""


async def within(seconds: float, work: Awaitable[Any]) -> bool:
    """Whether ``work`` ended in time, with or without an ordinary error of its own."""
    try:
        async with asyncio.timeout(seconds):
            await work
    except TimeoutError:
        return False
    except Exception as error:  # closing what is broken already: any error of it says only that
        get_logger(__name__).warning("an error while letting go of the bus", error=repr(error))
    return True

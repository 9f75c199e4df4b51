"""Prolongs a lease for as long as its holder works, so that the lease itself can be short.

A process that dies or is paused stops prolonging, and another takes over soon. A lease that is lost all
the same (the database was away, the process was paused) must cost repetitions only: whoever uses this
must not rely on holding it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from dealreg_shared.db.faults import is_transient
from dealreg_shared.telemetry import get_logger


@asynccontextmanager
async def keeping(
    name: str, every: float, prolong: Callable[[], Awaitable[object]]
) -> AsyncIterator[None]:
    """Call ``prolong`` every ``every`` seconds while the context lasts.

    The database's trouble is logged under ``name`` and tried again; any other error of it is raised at
    the end of the context.
    """

    async def keep() -> None:
        while True:
            await asyncio.sleep(every)
            try:
                await prolong()
            except Exception as error:
                if not is_transient(error):
                    raise
                get_logger(__name__).warning(
                    "a lease was not prolonged", of=name, error=repr(error)
                )

    beating = asyncio.create_task(keep(), name=f"{name}-lease")
    try:
        yield
    finally:
        beating.cancel()
        await asyncio.wait([beating])
        if not beating.cancelled():
            beating.result()

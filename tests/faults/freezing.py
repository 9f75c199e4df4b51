"""Stops one part of a live process, as a deadlock or a lost wake-up would: the process goes on without.

``PROOF_FREEZE`` names a file; a part whose name stands in it does not go round until it is taken out.
``SERVICE-ticks`` there means all ticks of a service.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from dealreg_shared.runtime import Service

LOOK_EVERY = 0.1

ROUNDS = {"Relay": "_round", "Consumer": "_step"}
"""What a flow does in each round, by its class."""


def freezable(service: Service) -> Service:
    """The service, each part of which looks into the file before a round."""
    path = os.environ.get("PROOF_FREEZE")
    if path is None:
        return service
    file = Path(path)
    for flow in service.flows:
        method = ROUNDS.get(type(flow).__name__)
        if method is not None:
            setattr(flow, method, _held({flow.name}, file, getattr(flow, method)))
    service.ticks = [
        replace(tick, run=_held({tick.name, f"{service.name}-ticks"}, file, tick.run))
        for tick in service.ticks
    ]
    return service


def _held(names: set[str], file: Path, run: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    async def held(*arguments: Any) -> Any:
        while file.exists() and names & set(file.read_text("utf-8").split()):
            await asyncio.sleep(LOOK_EVERY)
        return await run(*arguments)

    return held

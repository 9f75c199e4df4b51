"""The shape of a running service, the same for all three and for every run mode.

A composition root (``app.build``) returns a ``Service``: its HTTP application, its database and its
parts that move by themselves. ``running`` moves them in the background, as ``serve`` and the
all-in-one need; ``drain`` and ``tick`` move them once, on demand, as the simulated clock of the demo
and the tests need. Both use the same parts, so there is one path.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from starlette.types import ASGIApp

from dealreg_shared.db import Database
from dealreg_shared.heartbeat import Pulse
from dealreg_shared.scheduler import Metronome
from dealreg_shared.turns import Turns

OFTEN = timedelta(seconds=10)
"""A tick that comes more rarely than this has no heartbeat: the ticks beside it show that time goes."""


class Flow(Protocol):
    """A part that moves messages: the outbox relay, an inbox consumer."""

    @property
    def name(self) -> str: ...

    @property
    def turns(self) -> Turns:
        """How often it has gone round."""

    async def drain(self) -> int:
        """Move what can be moved now; the number of messages moved. Raises on failure."""

    async def run(self) -> None:
        """Move messages until cancelled. Survives what can be retried; raises what cannot."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Work that time alone makes due: sweeps, timers, deliveries.

    ``turns`` counts the runs that succeeded, and what a long run says of itself.
    """

    name: str
    every: timedelta
    run: Callable[[], Awaitable[Any]]
    turns: Turns = field(default_factory=Turns)

    async def go(self) -> None:
        """Run once, and count it."""
        await self.run()
        self.turns()


@dataclass(slots=True)
class Service:
    """One service, wired and ready. ``start`` hooks run after migration, before any traffic.

    ``pulse`` tells others that its parts move.
    """

    name: str
    app: ASGIApp
    database: Database
    migrate: Callable[[], Awaitable[None]]
    flows: Sequence[Flow]
    ticks: Sequence[Tick]
    start: Callable[[], Awaitable[None]]
    stop: Callable[[], Awaitable[None]]
    extras: dict[str, Any] = field(default_factory=dict)
    pulse: Pulse | None = None

    def close_afterwards(self, close: Callable[[], Awaitable[None]]) -> None:
        """When the service has stopped, also close this, even where stopping failed."""
        before = self.stop

        async def stop() -> None:
            try:
                await before()
            finally:
                await close()

        self.stop = stop

    async def drain(self) -> int:
        """Move all messages that can be moved now. Returns how many moved."""
        return sum([await flow.drain() for flow in self.flows])

    async def tick(self) -> None:
        """Run every tick once, in order."""
        for tick in self.ticks:
            await tick.go()

    @property
    def parts(self) -> dict[str, Turns]:
        """What moves by itself every few seconds, by name."""
        flows = {flow.name: flow.turns for flow in self.flows}
        return flows | {tick.name: tick.turns for tick in self.ticks if tick.every <= OFTEN}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Start and stop the service without anything moving by itself."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.database.dispose)
            await self.start()
            stack.push_async_callback(self.stop)
            yield

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start the service and keep its flows and ticks moving until the context ends.

        A flow that raises ends the context's body with that error: a service that has stopped moving
        must not look alive.
        """
        async with self.open(), asyncio.TaskGroup() as group:
            if self.pulse is not None:
                await self.pulse.declare(self.parts)
            tasks = [group.create_task(flow.run(), name=flow.name) for flow in self.flows]
            metronome = Metronome()
            for tick in self.ticks:
                metronome.add(tick.name, tick.every, tick.go)
            tasks.append(group.create_task(metronome.run(), name=f"{self.name}-metronome"))
            if self.pulse is not None:
                tasks.append(group.create_task(self.pulse.run(), name=f"{self.name}-pulse"))
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()

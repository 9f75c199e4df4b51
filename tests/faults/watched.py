"""A service that is killed at one crash point after another, and started again each time.

What a supervisor does in production, and what a proof adds: each start is armed with the next place to
die. Must not end anything but its own process.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dealreg_devstack.processes import free_port
from tests.faults.installation import Installation, Process

LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Target:
    """A place to die: the n-th meeting of a point by a service, reached by a piece of the story."""

    service: str
    point: str
    n: int
    piece: str


@dataclass(eq=False, slots=True)
class Watched:
    """One process of ``service``, always at the same address."""

    made: Installation
    service: str
    targets: Iterator[Target]
    settings: Mapping[str, str]
    died: Callable[[], Awaitable[None]]
    record: Path | None = None
    port: int = field(default_factory=free_port)
    target: Target | None = None
    process: Process | None = None
    killed: list[Target] = field(default_factory=list)
    at_random: int = 0
    faults: list[str] = field(default_factory=list)
    _by_hand: bool = False
    _stopped: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, armed with the next target; with none, it lives."""
        self.target = next(self.targets, None)
        crash = None if self.target is None else f"{self.target.point}:{self.target.n}"
        settings = {**self.settings, "DEALREG_HTTP_PORT": str(self.port)}
        self.process = self.made.start(self.service, crash=crash, record=self.record, more=settings)
        self.process.port = self.port

    async def ready(self) -> None:
        """Wait until it takes traffic, however often it dies meanwhile."""
        while not await asyncio.to_thread(self._answers):
            await asyncio.sleep(LOOK_SECONDS)

    async def watch(self) -> None:
        """Start it again whenever it has died, until ``stop``."""
        while not self._stopped:
            await asyncio.sleep(LOOK_SECONDS)
            process = self.process
            if process is None or process.running or self._stopped:
                continue
            if process.popen.returncode != -signal.SIGKILL:
                words = process.words()[-600:]
                self.faults.append(f"{self.service} ended with {process.popen.returncode}: {words}")
            elif self._by_hand or self.target is None:
                self.at_random += 1
            else:
                self.killed.append(self.target)
            self._by_hand = False
            await self.died()
            self.start()

    def kill(self) -> None:
        """Kill it wherever it is: its target was not met."""
        if self.process is not None and self.process.running:
            self._by_hand = True
            self.process.kill()

    def rest(self) -> None:
        """From the next start on it is not armed."""
        self.targets = iter(())

    async def stop(self, within: float = 30.0) -> None:
        """SIGTERM and the end of the watch."""
        self._stopped = True
        if self.process is not None and self.process.running:
            await asyncio.to_thread(self.process.stop, within)

    def _answers(self) -> bool:
        process = self.process
        try:
            return process is not None and process.running and process.answers()
        except AssertionError:  # it died while it was asked
            return False

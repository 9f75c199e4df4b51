"""The metronome: calls ticks at their interval. The only file that knows APScheduler.

It keeps nothing: what is due is a row in a service's database, and a tick looks for it. APScheduler runs
in memory, because its stores stop it silently when they fail (docs/decisions). A tick that raises is
logged and counted, and called again at its next time. If no tick completes for 15 s although one is
due, ``run`` raises ``MetronomeStopped``: a process whose time stands still must end.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic, perf_counter
from typing import Any

from apscheduler.executors.base import BaseExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from dealreg_shared.restart import RestartNeeded
from dealreg_shared.telemetry import get_logger, metrics

PATIENCE = 15.0
"""Seconds without a completed tick, while one is due, after which the metronome counts as stopped."""

_DURATION = metrics.histogram("dealreg_tick_seconds", "How long a tick took.", "tick")
_FAILURES = metrics.counter("dealreg_tick_failures", "Ticks that raised.", "tick")


class MetronomeStopped(RestartNeeded):
    """No tick completed in time. Only a new process helps."""


class _Executor(BaseExecutor):  # type: ignore[misc]  # apscheduler has no types
    """Runs ticks as tasks of the running loop.

    APScheduler's own one reports a tick that its shutdown cancels as an error, with a traceback.
    """

    def __init__(self) -> None:
        super().__init__()
        self._under_way: set[asyncio.Task[None]] = set()

    async def end(self) -> None:
        """Cancel what is under way, and wait until each tick has let go of what it held."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _do_submit_job(self, job: Any, _: Any) -> None:
        task = asyncio.get_running_loop().create_task(job.func(*job.args), name=f"tick-{job.id}")
        self._under_way.add(task)
        task.add_done_callback(partial(self._ended, job.id))

    def _ended(self, job_id: str, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is None:
            self._run_job_success(job_id, [])
        else:
            self._run_job_error(job_id, error, error.__traceback__)


class Metronome:
    """Calls each added tick at its interval, at most one call of a tick at a time."""

    def __init__(self, *, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._ticks: dict[str, tuple[timedelta, Callable[[], Awaitable[Any]]]] = {}
        self._due: dict[str, float] = {}
        self._completed = 0

    def add(self, name: str, every: timedelta, run: Callable[[], Awaitable[Any]]) -> None:
        """Call ``run`` at once when the metronome starts, then every ``every``."""
        if name in self._ticks:
            raise ValueError(f"two ticks are named {name}")
        if every <= timedelta(0):
            raise ValueError(f"tick {name} needs an interval above zero")
        self._ticks[name] = (every, run)

    async def run(self) -> None:
        """Tick until cancelled. Raises ``MetronomeStopped`` when the ticking has stopped."""
        executor = _Executor()
        scheduler = AsyncIOScheduler(
            timezone=UTC,
            executors={"default": executor},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        start = datetime.now(UTC)
        for name, (every, _) in self._ticks.items():
            self._due[name] = monotonic()
            scheduler.add_job(
                self._call,
                IntervalTrigger(seconds=every.total_seconds(), timezone=UTC),
                args=[name],
                id=name,
                next_run_time=start,
            )
        scheduler.start()
        try:
            await self._supervise()
        finally:
            scheduler.remove_all_jobs()
            await executor.end()
            if scheduler.running:
                scheduler.shutdown(wait=False)

    async def _call(self, name: str) -> None:
        every, run = self._ticks[name]
        began = perf_counter()
        try:
            await run()
        except Exception:  # a tick that fails must not end the ticking: its rows are still due
            _FAILURES.labels(name).inc()
            get_logger(__name__).exception("tick failed", tick=name)
        finally:
            took = perf_counter() - began
            _DURATION.labels(name).observe(took)
            self._due[name] = monotonic() + max(0.0, every.total_seconds() - took)
            self._completed += 1

    async def _supervise(self) -> None:
        step = min(1.0, self._patience / 5)
        silent, seen, before = 0.0, self._completed, monotonic()
        while True:
            await asyncio.sleep(step)
            now = monotonic()
            # A process that was stopped and continued wakes late itself: it gets its time again.
            elapsed, before = min(now - before, 2 * step), now
            if self._completed != seen or not self._due or min(self._due.values()) > now:
                silent, seen = 0.0, self._completed
                continue
            silent += elapsed
            if silent > self._patience:
                late = sorted(name for name, due in self._due.items() if due <= now)
                raise MetronomeStopped(
                    f"no tick completed for {self._patience:g} s; due: {', '.join(late)}"
                )

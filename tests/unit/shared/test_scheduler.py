"""The metronome: failing ticks do not stop it, a hanging one ends the process."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

import pytest

from dealreg_shared.restart import RestartNeeded
from dealreg_shared.scheduler import Metronome, MetronomeStopped
from dealreg_shared.telemetry import metrics

QUICK = timedelta(milliseconds=5)


def counting(until: int) -> tuple[Callable[[], Awaitable[None]], asyncio.Event]:
    """A tick, and an event that is set once it was called ``until`` times."""
    reached = asyncio.Event()
    calls: list[None] = []

    async def tick() -> None:
        calls.append(None)
        if len(calls) >= until:
            reached.set()

    return tick, reached


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_it_calls_each_tick_again_and_again() -> None:
    metronome = Metronome()
    one, one_reached = counting(3)
    two, two_reached = counting(3)
    metronome.add("one", QUICK, one)
    metronome.add("two", QUICK, two)

    running = asyncio.create_task(metronome.run())
    await one_reached.wait()
    await two_reached.wait()
    await stop(running)


async def test_a_tick_that_raises_is_counted_and_called_again() -> None:
    metronome = Metronome()
    calls: list[None] = []
    again = asyncio.Event()

    async def fails() -> None:
        calls.append(None)
        if len(calls) > 2:
            again.set()
        raise RuntimeError("no")

    metronome.add("fails", QUICK, fails)
    running = asyncio.create_task(metronome.run())
    await again.wait()
    await stop(running)

    failures = metrics.REGISTRY.get_sample_value("dealreg_tick_failures_total", {"tick": "fails"})
    assert failures is not None
    assert failures >= 2


async def test_a_tick_is_never_called_while_it_runs() -> None:
    metronome = Metronome()
    inside, twice, done = 0, False, asyncio.Event()
    beat, beaten = counting(5)

    async def slow() -> None:
        nonlocal inside, twice
        inside += 1
        twice = twice or inside > 1
        await beaten.wait()
        inside -= 1
        done.set()

    metronome.add("slow", QUICK, slow)
    metronome.add("beat", QUICK, beat)
    running = asyncio.create_task(metronome.run())
    await done.wait()
    await stop(running)

    assert not twice


async def test_if_nothing_completes_although_it_is_due_the_process_must_end() -> None:
    metronome = Metronome(patience=0.1)
    metronome.add("hangs", QUICK, asyncio.Event().wait)

    with pytest.raises(MetronomeStopped, match=r"no tick completed for 0\.1 s; due: hangs"):
        await metronome.run()

    assert issubclass(MetronomeStopped, RestartNeeded)


async def test_a_tick_under_way_is_ended_before_run_returns() -> None:
    metronome = Metronome()
    begun, let_go = asyncio.Event(), asyncio.Event()

    async def tick() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            let_go.set()

    metronome.add("tick", QUICK, tick)
    running = asyncio.create_task(metronome.run())
    await begun.wait()
    await stop(running)

    assert let_go.is_set()


async def test_what_is_ended_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """Neither a tick under way nor one that has not begun."""
    metronome = Metronome()
    begun = asyncio.Event()

    async def tick() -> None:
        begun.set()
        await asyncio.Event().wait()

    metronome.add("under way", QUICK, tick)
    running = asyncio.create_task(metronome.run())
    await begun.wait()
    await stop(running)

    metronome = Metronome()
    metronome.add("not begun", QUICK, tick)
    running = asyncio.create_task(metronome.run())
    while not any(task.get_name().startswith("tick-") for task in asyncio.all_tasks()):
        await asyncio.sleep(0)
    await stop(running)
    await asyncio.sleep(0)

    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_long_interval_is_no_reason_to_end() -> None:
    metronome = Metronome(patience=0.05)
    tick, reached = counting(1)
    metronome.add("hourly", timedelta(hours=1), tick)

    running = asyncio.create_task(metronome.run())
    await reached.wait()
    done, _ = await asyncio.wait([running], timeout=0.3)
    assert not done
    await stop(running)


async def test_without_ticks_it_runs_until_cancelled() -> None:
    running = asyncio.create_task(Metronome(patience=0.02).run())
    done, _ = await asyncio.wait([running], timeout=0.1)
    assert not done
    await stop(running)


def test_two_ticks_of_one_name_or_without_an_interval_are_refused() -> None:
    metronome = Metronome()
    metronome.add("a", QUICK, asyncio.Event().wait)

    with pytest.raises(ValueError, match="two ticks are named a"):
        metronome.add("a", QUICK, asyncio.Event().wait)
    with pytest.raises(ValueError, match="interval above zero"):
        metronome.add("b", timedelta(0), asyncio.Event().wait)

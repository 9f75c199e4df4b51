"""A client library that does not react is never waited for longer than was said."""

import asyncio

import pytest

from dealreg_shared import bounded as bounded_module
from dealreg_shared.bounded import bounded
from dealreg_shared.bus.stuck import within


class Stubborn:
    """Work that does not let itself be cancelled, until it is told to end."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.ended = asyncio.Event()

    async def work(self) -> None:
        while not self.over.is_set():
            try:
                await self.over.wait()
            except asyncio.CancelledError:
                continue
        self.ended.set()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_module, "CANCEL_SECONDS", 0.05)


async def test_work_that_cannot_be_cancelled_is_left_behind() -> None:
    stubborn = Stubborn()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(bounded(0.05, stubborn.work()), 30)
    another = Stubborn()
    assert not await asyncio.wait_for(within(0.05, another.work()), 30)
    for each in (stubborn, another):
        assert not each.ended.is_set()
        each.over.set()
        await each.ended.wait()


async def test_who_waits_may_be_cancelled_although_the_work_may_not() -> None:
    stubborn = Stubborn()
    waiting = asyncio.create_task(bounded(60, stubborn.work()))
    await asyncio.sleep(0)
    waiting.cancel()
    done, _ = await asyncio.wait({waiting}, timeout=30)
    assert done and waiting.cancelled()
    stubborn.over.set()
    await stubborn.ended.wait()


async def test_work_that_ends_in_time_gives_what_it_gives() -> None:
    async def answer() -> int:
        return 42

    async def fail() -> None:
        raise LookupError("nothing there")

    assert await bounded(30, answer()) == 42
    with pytest.raises(LookupError):
        await bounded(30, fail())

"""One round of a channel: until nothing is due, its deliveries are claimed, sent and recorded at once.

The next share is claimed while workers still send the one before, and outcomes are written in groups
meanwhile, so nothing waits for the slowest message. What is in hand is bounded, and its lease is
prolonged until its outcome is written. Must not know what a message says or how it travels.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from dealreg_notifier.channels.port import Outcome, Refused, Retry
from dealreg_notifier.deliveries import Claimed
from dealreg_notifier.handlers.shelf import Shelf
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.keeping import keeping

PER_WORKER = 20
"""Messages for each worker in a share. The next share is claimed when fewer than half of one wait."""

SHARES = 4
"""How many shares may be in hand. More than two are only when places are slow."""

RECORD_SECONDS = 0.1
"""How long an outcome waits for others to be written with it. What was sent and not yet recorded is sent
again if the process dies."""

LOOK_SECONDS = 0.5
"""How soon it is looked again when nothing was due and some messages are still under way."""

Ended = tuple[Claimed, Outcome | None]
"""What became of an attempt. None: it was not made, because its place had just failed; it goes back."""

Send = Callable[[Claimed], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Work:
    """What a round does. ``worker`` opens a way to the other side, for one message after the other; it
    never fails, and what it returns raises nothing."""

    claim: Callable[[int], Awaitable[Sequence[Claimed]]]
    worker: Callable[[], Awaitable[Send]]
    record: Callable[[Sequence[Ended]], Awaitable[None]]
    prolong: Callable[[Mapping[str, int]], Awaitable[None]]


class Round:
    """``workers`` send at the same time; ``beat``: seconds between two prolongations of the lease."""

    def __init__(self, work: Work, workers: int, beat: float) -> None:
        self._work = work
        self._workers = workers
        self._beat = beat
        self._share = workers * PER_WORKER
        self._shelf = Shelf(workers)
        self._ended: asyncio.Queue[Ended | None] = asyncio.Queue()
        self._in_hand: dict[str, Claimed] = {}
        """By delivery, from the claim until the outcome is written."""
        self._under_way = 0
        """How many of them have no outcome yet."""
        self._made = 0
        self._eased = asyncio.Event()

    async def run(self) -> int:
        """Returns how many deliveries were claimed. Raises what claiming raised, once all that was
        claimed before has come to its end; what recording raises ends the round at once."""
        fault: Exception | None = None
        async with (
            keeping("notifier-deliveries", self._beat, self._prolong),
            asyncio.TaskGroup() as recording,
        ):
            recording.create_task(self._record_all())
            async with asyncio.TaskGroup() as sending:
                try:
                    await self._claim_all(sending)
                except Exception as error:  # raised below: messages under way are not cut off
                    fault = error
                self._shelf.close()
            self._ended.put_nowait(None)
        if fault is not None:
            raise fault
        return self._made

    async def _claim_all(self, sending: asyncio.TaskGroup) -> None:
        """Keep something waiting for the workers, until nothing is due and nothing is under way."""
        workers = 0
        while True:
            self._eased.clear()
            if not self._room():
                await self._eased.wait()
                continue
            claimed = self._new(await self._work.claim(self._share))
            crashpoint("deliveries.claim_committed")
            if claimed:
                self._made += len(claimed)
                self._under_way += len(claimed)
                self._shelf.put(claimed)
                while workers < min(self._workers, self._under_way):
                    workers += 1
                    sending.create_task(self._send_all(await self._work.worker()))
            elif not self._under_way:
                break
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        while self._under_way:
                            self._eased.clear()
                            await self._eased.wait()

    def _new(self, claimed: Sequence[Claimed]) -> list[Claimed]:
        """Those that are to be sent. What is in hand though its lease ran out, as after a pause, is not
        sent a second time: its outcome is written for the later attempt."""
        new = [item for item in claimed if item.delivery_id not in self._in_hand]
        self._in_hand |= {item.delivery_id: item for item in claimed}
        return new

    def _room(self) -> bool:
        return (
            self._shelf.ready < self._share // 2
            and len(self._in_hand) + self._share <= SHARES * self._share
        )

    async def _send_all(self, send: Send) -> None:
        while (item := await self._shelf.take()) is not None:
            if self._room():
                self._eased.set()
            try:
                outcome = await send(item)
            finally:
                self._shelf.done(item)
            crashpoint("deliveries.attempted")
            self._end(item, outcome)
            if _told_to_end():
                raise asyncio.CancelledError
            if item.place is not None and _place_failed(outcome):
                for other in self._shelf.drop(item):
                    self._end(other, None)

    def _end(self, item: Claimed, outcome: Outcome | None) -> None:
        self._ended.put_nowait((item, outcome))
        self._under_way -= 1
        if not self._under_way:
            self._eased.set()

    async def _record_all(self) -> None:
        """Write outcomes soon after they come, all that have come meanwhile in one transaction."""
        last = False
        while not last:
            waiting = [await self._ended.get()]
            with suppress(TimeoutError):
                async with asyncio.timeout(RECORD_SECONDS):
                    while waiting[-1] is not None:
                        waiting.append(await self._ended.get())
            last = waiting[-1] is None
            batch = [entry for entry in waiting if entry is not None]
            while batch:
                batch = await self._record(batch)
                self._eased.set()

    async def _record(self, ended: Sequence[Ended]) -> list[Ended]:
        """Returns what was claimed anew in the meantime: it is to be written again."""
        newest = [(self._in_hand[item.delivery_id], outcome) for item, outcome in ended]
        await self._work.record(newest)
        crashpoint("deliveries.record_committed")
        again: list[Ended] = []
        for item, outcome in newest:
            if self._in_hand[item.delivery_id] is item:
                del self._in_hand[item.delivery_id]
            else:
                again.append((item, outcome))
        return again

    async def _prolong(self) -> None:
        if self._in_hand:
            await self._work.prolong({id_: item.attempt for id_, item in self._in_hand.items()})


def _told_to_end() -> bool:
    """Whether this task was cancelled, though it goes on: an answer that comes just then makes
    ``asyncio.wait_for`` of Python 3.11, and with it the mail client, take no notice."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _place_failed(outcome: Outcome) -> bool:
    """What else waits for the place would most likely fail as well."""
    return isinstance(outcome, Retry) or (isinstance(outcome, Refused) and outcome.gone)

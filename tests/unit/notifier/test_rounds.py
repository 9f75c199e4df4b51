"""A round in memory: what waits for what, what is bounded, and what is given back."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dealreg_notifier.channels.port import Delivered, Outcome, Place, Retry
from dealreg_notifier.deliveries import Claimed
from dealreg_notifier.handlers.rounds import PER_WORKER, SHARES, Ended, Round, Send, Work

AT = datetime(2026, 3, 2, tzinfo=UTC)


def item(number: int, place: str | None = None) -> Claimed:
    return Claimed(
        delivery_id=f"dlv_{number}",
        attempt=1,
        spent=0,
        channel="webhook",
        person_id="whk_1",
        name=None,
        email=None,
        language=None,
        notification_id=f"ntf_{number}",
        kind="decision",
        facts={},
        title="",
        created_at=AT,
        correlation_id="",
        digest_at=None,
        addressee="partner:acme",
        subject="reg_1",
        text="",
        place=None if place is None else Place(place, f"https://{place}.example.com"),
    )


class World:
    """Rows that wait, and what was written of them."""

    def __init__(self, waiting: Sequence[Claimed], send: Send) -> None:
        self.waiting = list(waiting)
        self.send = send
        self.written: dict[str, tuple[int, Outcome | None]] = {}
        self.claims: list[int] = []
        self.most_in_hand = 0
        self.before_claim: Callable[[], None] = lambda: None

    async def claim(self, limit: int) -> Sequence[Claimed]:
        await asyncio.sleep(0)
        self.before_claim()
        found, self.waiting = self.waiting[:limit], self.waiting[limit:]
        self.claims.append(len(found))
        self.most_in_hand = max(self.most_in_hand, sum(self.claims) - len(self.written))
        return found

    async def worker(self) -> Send:
        return self.send

    async def record(self, ended: Sequence[Ended]) -> None:
        await asyncio.sleep(0)
        self.written |= {it.delivery_id: (it.attempt, outcome) for it, outcome in ended}

    async def prolong(self, claimed: Mapping[str, int]) -> None:
        """Nothing takes long enough here."""

    def round(self, workers: int) -> Round:
        return Round(Work(self.claim, self.worker, self.record, self.prolong), workers, 60)


async def delivered(_item: Claimed) -> Outcome:
    await asyncio.sleep(0)
    return Delivered()


async def test_all_that_is_due_is_sent_once_and_written() -> None:
    world = World([item(number) for number in range(1000)], delivered)
    assert await world.round(4).run() == 1000
    assert set(world.written.values()) == {(1, Delivered())}
    assert len(world.written) == 1000
    assert world.claims[-1] == 0


async def test_the_next_share_is_claimed_and_sent_while_a_message_is_slow() -> None:
    held = asyncio.Event()

    async def send(it: Claimed) -> Outcome:
        if it.delivery_id == "dlv_0":
            await held.wait()
        return Delivered()

    world = World([item(number) for number in range(200)], send)
    running = asyncio.create_task(world.round(2).run())
    async with asyncio.timeout(20):
        while len(world.written) < 199:
            await asyncio.sleep(0.01)
    assert not running.done()
    held.set()
    assert await running == 200
    assert len(world.written) == 200


async def test_a_place_that_hangs_holds_up_no_other_and_what_is_in_hand_is_bounded() -> None:
    held = asyncio.Event()

    async def send(it: Claimed) -> Outcome:
        if it.place is not None and it.place.endpoint_id == "slow":
            await held.wait()
        return Delivered()

    slow = [item(number, "slow") for number in range(100)]
    fast = [item(1000 + number, "fast") for number in range(100)]
    later = [item(2000 + number, "slow") for number in range(2000)]
    world = World([*slow, *fast, *later], send)
    running = asyncio.create_task(world.round(4).run())
    async with asyncio.timeout(20):
        while len(world.written) < 100:
            await asyncio.sleep(0.01)
    assert set(world.written) == {it.delivery_id for it in fast}
    held.set()
    assert await running == 2200
    assert len(world.written) == 2200
    assert world.most_in_hand <= SHARES * 4 * PER_WORKER


async def test_what_waits_for_a_place_that_failed_goes_back_unsent() -> None:
    sent: list[str] = []

    async def send(it: Claimed) -> Outcome:
        sent.append(it.delivery_id)
        await asyncio.sleep(0)
        return Retry("HTTP 503") if it.place and it.place.endpoint_id == "down" else Delivered()

    down = [item(number, "down") for number in range(20)]
    world = World([*down, *[item(100 + number, "up") for number in range(20)]], send)
    await world.round(1).run()
    tried = [it.delivery_id for it in down if it.delivery_id in sent]
    assert len(tried) == 1
    assert world.written[tried[0]] == (1, Retry("HTTP 503"))
    assert [world.written[it.delivery_id][1] for it in down].count(None) == 19
    assert all(world.written[f"dlv_{100 + number}"] == (1, Delivered()) for number in range(20))


async def test_what_is_claimed_again_while_it_is_sent_is_not_sent_twice() -> None:
    """Its lease ran out, as after a pause of the process: the outcome counts for the later attempt."""
    held, sent = asyncio.Event(), []

    async def send(it: Claimed) -> Outcome:
        sent.append(it.delivery_id)
        await held.wait()
        return Delivered()

    world = World([item(0)], send)

    def again() -> None:
        if sent and len(world.claims) == 1:
            world.waiting.append(replace(item(0), attempt=2))
        held.set() if len(world.claims) == 2 else None

    world.before_claim = again
    assert await world.round(2).run() == 1
    assert sent == ["dlv_0"]
    assert world.written == {"dlv_0": (2, Delivered())}


async def test_a_claim_that_fails_cuts_off_no_message() -> None:
    held = asyncio.Event()

    async def send(_it: Claimed) -> Outcome:
        await held.wait()
        return Delivered()

    world = World([item(0)], send)

    def fail() -> None:
        if world.claims:
            held.set()
            raise OSError("the database is away")

    world.before_claim = fail
    with pytest.raises(OSError, match="away"):
        await world.round(2).run()
    assert world.written == {"dlv_0": (1, Delivered())}


async def test_a_round_ends_when_it_is_told_to_though_a_sender_takes_no_notice() -> None:
    sending = asyncio.Event()

    async def deaf(_item: Claimed) -> Outcome:
        sending.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return Delivered()
        raise AssertionError("nobody sets the event")

    world = World([item(1), item(2)], deaf)
    running = asyncio.create_task(world.round(1).run())
    await sending.wait()
    running.cancel()
    done, _ = await asyncio.wait([running], timeout=20)
    assert done
    assert running.cancelled()
    assert world.written == {}

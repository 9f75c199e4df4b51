"""What every bus keeps: the contract of ``dealreg_shared.bus.port``, as tests.

A backend's file makes a subclass with the fixtures ``bus`` (new and empty) and ``again`` (another
connection to the same log, as another process would have).
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from dealreg_shared.bus.port import Bus, Delivery, Message, Position, Subscription
from dealreg_shared.contracts.catalogue import COVERAGE, PEOPLE, PLAN, REGISTRATION

Again = Callable[[], Bus]

PATIENCE = 20.0
"""Seconds in which what was acknowledged must come. Long: it bounds a failure, not a success."""


def text(topic: str, key: str, *numbers: int) -> list[Message]:
    return [Message(topic, key, str(number).encode(), (("n", str(number)),)) for number in numbers]


async def fetch(subscription: Subscription, count: int) -> list[Delivery]:
    """The next ``count`` deliveries, or as many as come."""
    deliveries: list[Delivery] = []
    until = asyncio.get_running_loop().time() + PATIENCE
    while len(deliveries) < count and asyncio.get_running_loop().time() < until:
        deliveries += await subscription.fetch(count - len(deliveries), 1.0)
    return deliveries


async def read(bus: Bus, group: str, topics: Sequence[str], count: int) -> list[Delivery]:
    async with bus.subscribe(group, topics) as subscription:
        return await fetch(subscription, count)


def positions(deliveries: Sequence[Delivery]) -> list[Position]:
    last = {(d.position.topic, d.position.partition): d.position for d in deliveries}
    return list(last.values())


def values(deliveries: Sequence[Delivery], key: str) -> list[str]:
    return [(d.message.value or b"").decode() for d in deliveries if d.message.key == key]


class BusContract:
    """Inherited by the tests of each backend."""

    async def test_what_was_published_comes_as_it_was(self, bus: Bus) -> None:
        sent = [
            Message(REGISTRATION, "acc_1", b'{"a": "\xc3\xa4"}', (("x", "1"), ("y", "\u00e4"))),
            Message(PLAN, "default", b"\x00\xff", ()),
        ]
        await bus.publish(sent)
        got = await read(bus, "readers", [REGISTRATION, PLAN], 2)
        assert {d.message for d in got} == set(sent)

    async def test_messages_of_a_key_come_in_the_order_of_publishing(self, bus: Bus) -> None:
        keys = [f"acc_{number}" for number in range(20)]
        for start in range(1, 31, 10):
            await bus.publish(
                [
                    m
                    for n in range(start, start + 10)
                    for key in keys
                    for m in text(REGISTRATION, key, n)
                ]
            )
        got = await read(bus, "readers", [REGISTRATION], 600)
        for key in keys:
            assert values(got, key) == [str(n) for n in range(1, 31)]

    async def test_each_group_gets_everything(self, bus: Bus) -> None:
        await bus.publish(text(PLAN, "a", 1, 2, 3))
        for group in ("one", "two"):
            assert values(await read(bus, group, [PLAN], 3), "a") == ["1", "2", "3"]

    async def test_a_group_gets_only_the_topics_it_asked_for(self, bus: Bus) -> None:
        await bus.publish(text(PLAN, "a", 1) + text(COVERAGE, "a", 2) + text(PLAN, "a", 3))
        assert values(await read(bus, "readers", [PLAN], 2), "a") == ["1", "3"]

    async def test_a_group_goes_on_after_what_it_committed(self, bus: Bus, again: Again) -> None:
        await bus.publish(text(PLAN, "a", 1, 2, 3, 4))
        async with bus.subscribe("readers", [PLAN]) as subscription:
            first = await fetch(subscription, 4)
            await subscription.commit([first[1].position])
        assert values(await read(again(), "readers", [PLAN], 2), "a") == ["3", "4"]

    async def test_what_was_not_committed_comes_again(self, bus: Bus) -> None:
        await bus.publish(text(PLAN, "a", 1, 2))
        assert len(await read(bus, "readers", [PLAN], 2)) == 2
        assert values(await read(bus, "readers", [PLAN], 2), "a") == ["1", "2"]

    async def test_a_new_group_starts_at_the_first_message(self, bus: Bus) -> None:
        await bus.publish(text(PLAN, "a", 1, 2))
        async with bus.subscribe("late", [PLAN]) as subscription:
            got = await fetch(subscription, 2)
        assert values(got, "a") == ["1", "2"]

    async def test_a_member_sees_what_is_published_after_it_joined(
        self, bus: Bus, again: Again
    ) -> None:
        async with bus.subscribe("readers", [PLAN]) as subscription:
            assert await subscription.fetch(10, 0.0) == []
            await bus.publish(text(PLAN, "a", 1))
            assert values(await fetch(subscription, 1), "a") == ["1"]
            await again().publish(text(PLAN, "a", 2))
            assert values(await fetch(subscription, 1), "a") == ["2"]

    async def test_fetch_gives_no_more_than_it_was_asked_for(self, bus: Bus) -> None:
        await bus.publish(text(PLAN, "a", *range(10)))
        async with bus.subscribe("readers", [PLAN]) as subscription:
            first = await fetch(subscription, 3)
            rest = await fetch(subscription, 7)
        assert values(first + rest, "a") == [str(n) for n in range(10)]
        assert len(first) == 3

    async def test_seeking_to_the_beginning_delivers_all_again(self, bus: Bus) -> None:
        await bus.publish(text(PLAN, "a", 1, 2, 3) + text(REGISTRATION, "b", 4))
        async with bus.subscribe("readers", [PLAN, REGISTRATION]) as subscription:
            got = await fetch(subscription, 4)
            await subscription.commit(positions(got))
            await subscription.seek_to_beginning()
            again = await fetch(subscription, 4)
        assert values(again, "a") == ["1", "2", "3"]
        assert values(again, "b") == ["4"]

    async def test_a_seek_is_remembered_by_the_group(self, bus: Bus) -> None:
        """A process that dies right after it must not leave the messages behind."""
        await bus.publish(text(PLAN, "a", 1, 2))
        async with bus.subscribe("readers", [PLAN]) as subscription:
            await subscription.commit(positions(await fetch(subscription, 2)))
            await subscription.seek_to_beginning()
        assert values(await read(bus, "readers", [PLAN], 2), "a") == ["1", "2"]

    async def test_lag_counts_what_is_not_committed(self, bus: Bus) -> None:
        await bus.publish(text(PLAN, "a", 1, 2, 3))
        async with bus.subscribe("readers", [PLAN]) as subscription:
            got = await fetch(subscription, 3)
            assert await subscription.lag() == 3
            await subscription.commit([got[0].position])
            assert await subscription.lag() == 2
            await subscription.commit([got[2].position])
            assert await subscription.lag() == 0
            await bus.publish(text(PLAN, "a", 4))
            assert await subscription.lag() == 1

    async def test_extents_say_where_the_log_begins_and_ends(self, bus: Bus) -> None:
        await bus.publish(text(PLAN, "a", 1, 2, 3))
        async with bus.subscribe("readers", [PLAN]) as subscription:
            got = await fetch(subscription, 3)
            place = (PLAN, got[0].position.partition)
            first, end = (await subscription.extents())[place]
            assert first <= got[0].position.offset
            assert end == got[2].position.offset + 1
            await bus.publish(text(PLAN, "a", 4))
            assert (await subscription.extents())[place] == (first, end + 1)

    async def test_a_message_of_one_key_comes_to_one_member_only(self, bus: Bus) -> None:
        """Two members: whatever each of them gets, together they got everything."""
        keys = [f"acc_{number}" for number in range(12)]
        async with AsyncExitStack() as stack:
            members = [
                await stack.enter_async_context(bus.subscribe("team", [REGISTRATION]))
                for _ in range(2)
            ]
            done: list[set[tuple[str, str]]] = [set(), set()]

            async def work(index: int) -> None:
                while sum(map(len, done)) < len(keys) * 5 or done[0] & done[1]:
                    got = await members[index].fetch(10, 0.3)
                    done[index] |= {(d.message.key, (d.message.value or b"").decode()) for d in got}
                    await members[index].commit(positions(got))

            await asyncio.sleep(0)
            await bus.publish([m for key in keys for m in text(REGISTRATION, key, *range(5))])
            async with asyncio.timeout(60):
                await asyncio.gather(work(0), work(1))
        assert done[0] | done[1] == {(key, str(n)) for key in keys for n in range(5)}
        assert not {key for key, _ in done[0]} & {key for key, _ in done[1]}

    async def test_a_member_takes_over_when_another_leaves(self, bus: Bus, again: Again) -> None:
        await bus.publish(text(PLAN, "a", 1, 2))
        async with again().subscribe("team", [PLAN]) as first:
            got = await fetch(first, 2)
            await first.commit([got[0].position])
            joining = asyncio.create_task(read(bus, "team", [PLAN], 1))
        assert values(await joining, "a") == ["2"]

    async def test_the_latest_of_a_key_stays_on_a_compacted_topic(self, bus: Bus) -> None:
        await bus.publish(text(PEOPLE, "p1", 1, 2) + text(PEOPLE, "p2", 1))
        await bus.publish([Message(PEOPLE, "p2", None)])
        async with bus.subscribe("readers", [PEOPLE]) as subscription:
            latest: dict[str, bytes | None] = {}
            while await subscription.lag():
                got = await subscription.fetch(10, 1.0)
                latest |= {d.message.key: d.message.value for d in got}
                await subscription.commit(positions(got))
        assert latest == {"p1": b"2", "p2": None}

    async def test_large_messages_travel(self, bus: Bus) -> None:
        """The largest that the outbox lets through, and more of them than fit into one batch."""
        large = [Message(PLAN, "a", bytes([65 + n]) * 512 * 1024) for n in range(5)]
        await bus.publish(large)
        got = await read(bus, "readers", [PLAN], 5)
        assert [d.message.value for d in got] == [m.value for m in large]

    async def test_publishing_nothing_is_no_error(self, bus: Bus) -> None:
        await bus.publish([])

    async def test_it_is_healthy(self, bus: Bus) -> None:
        assert await bus.healthy()

    async def test_closing_twice_is_no_error(self, bus: Bus) -> None:
        await bus.publish(text(PLAN, "a", 1))
        await bus.close()
        await bus.close()

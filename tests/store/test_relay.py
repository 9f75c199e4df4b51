"""The relay: nothing is lost or reordered, whatever fails, and however many relays there are."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import Connection, func, select, text

from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.bus.port import BusError, Message
from dealreg_shared.contracts.catalogue import PEOPLE, PLAN
from dealreg_shared.db import Database
from dealreg_shared.outbox import Relay
from dealreg_shared.outbox import relay as relaying
from tests.factories.outbox_rows import (
    EARLIER,
    KEYS,
    METADATA,
    OUTBOX,
    TABLES,
    UnreliableBus,
    append,
    expire_leases,
    relay,
    unsent,
)
from tests.factories.travelling import AT, person, suspended, versions, whole_log


@pytest.fixture
async def stored(database: Database) -> Database:
    await database.write(METADATA.create_all)
    return database


async def test_nothing_is_marked_before_it_is_acknowledged(
    stored: Database, embedded_bus: EmbeddedBus
) -> None:
    seen: list[int] = []

    class Watching(UnreliableBus):
        async def publish(self, messages: Sequence[Message]) -> None:
            seen.append(await unsent(stored))
            await super().publish(messages)
            seen.append(await unsent(stored))

    await append(stored, *(suspended(key) for key in KEYS))
    await relay(stored, Watching(embedded_bus)).drain()
    assert seen == [7, 7]
    assert await unsent(stored) == 0


async def test_a_row_committed_during_the_publish_is_not_marked(
    stored: Database, embedded_bus: EmbeddedBus
) -> None:
    class Slow(UnreliableBus):
        async def publish(self, messages: Sequence[Message]) -> None:
            if not self.batches:
                await append(stored, suspended("late"))
            await super().publish(messages)

    bus = Slow(embedded_bus)
    await append(stored, suspended("a"))
    assert await relay(stored, bus).drain() == 2
    assert [[m.key for m in batch] for batch in bus.batches] == [["a"], ["late"]]


async def test_a_row_with_a_lower_id_that_is_committed_later_is_not_lost(
    stored: Database, embedded_bus: EmbeddedBus
) -> None:
    """Ids are given when rows are inserted, and transactions end in another order."""
    ids = TABLES.outbox.c.id

    async def append_at(row_id: int, key: str) -> None:
        def work(conn: Connection) -> None:
            OUTBOX.append(conn, [suspended(key)], AT)
            conn.execute(TABLES.outbox.update().where(TABLES.outbox.c.key == key).values(id=row_id))

        await stored.write(work)

    class Slow(UnreliableBus):
        async def publish(self, messages: Sequence[Message]) -> None:
            if not self.batches:
                await append_at(50, "slow transaction")
            await super().publish(messages)

    await append_at(100, "quick transaction")
    assert await relay(stored, Slow(embedded_bus)).drain() == 2
    assert await stored.read(lambda conn: conn.execute(select(func.max(ids))).scalar()) == 100
    keys = [delivery.message.key for delivery in await whole_log(embedded_bus, PLAN)]
    assert keys == ["quick transaction", "slow transaction"]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_bus_that_fails_in_the_middle_loses_and_reorders_nothing(
    stored: Database, embedded_bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    monkeypatch.setattr(relaying, "BATCH", 5)
    for _ in range(6):
        await append(stored, *(suspended(key) for key in KEYS))
    bus = UnreliableBus(embedded_bus)

    def cut(messages: Sequence[Message]) -> None:
        if len(bus.batches) in (2, 3, 6):
            raise BusError("cut")

    setattr(bus, when, cut)
    carrying = relay(stored, bus)
    failures = 0
    while await unsent(stored):
        try:
            await carrying.drain()
        except BusError:
            failures += 1
    assert failures == 3
    log = await whole_log(embedded_bus, PLAN)
    assert len(log) == 42 + (15 if when == "after" else 0)  # sent but not acknowledged: sent again
    for key in KEYS:
        first_appearances = list(dict.fromkeys(versions(log, key)))
        assert first_appearances == [1, 2, 3, 4, 5, 6]


async def test_a_crash_between_publish_and_mark_repeats_and_loses_nothing(
    stored: Database, embedded_bus: EmbeddedBus
) -> None:
    class Crash(BaseException):
        """Ends the relay as kill -9 would: nothing of it runs afterwards."""

    def crash(messages: Sequence[Message]) -> None:
        raise Crash

    await append(stored, suspended("a"), suspended("a"))
    with pytest.raises(Crash):
        await relay(stored, UnreliableBus(embedded_bus, after=crash)).drain()
    assert await unsent(stored) == 2
    await expire_leases(stored)
    await relay(stored, embedded_bus).drain()
    assert versions(await whole_log(embedded_bus, PLAN), "a") == [1, 2, 1, 2]


async def test_a_shard_that_another_relay_holds_is_left_to_it(
    stored: Database, embedded_bus: EmbeddedBus
) -> None:
    first, second = relay(stored, embedded_bus), relay(stored, embedded_bus)
    await append(stored, suspended("a"))
    assert await first.drain() == 1
    await append(stored, suspended("a"))
    assert await second.drain() == 0
    await expire_leases(stored)
    assert await second.drain() == 1


async def test_a_lease_is_prolonged_while_a_publish_is_under_way(
    stored: Database, embedded_bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relaying, "KEEP_SECONDS", 0.01)
    until = select(func.min(TABLES.lease.c.until))

    class Slow(UnreliableBus):
        async def publish(self, messages: Sequence[Message]) -> None:
            await expire_leases(stored)
            while await stored.read(lambda conn: conn.execute(until).scalar_one()) <= EARLIER:
                await asyncio.sleep(0.01)
            assert await relay(stored, embedded_bus).drain() == 0
            await super().publish(messages)

    await append(stored, suspended("a"))
    assert await relay(stored, Slow(embedded_bus)).drain() == 1


async def test_a_relay_that_comes_late_leaves_the_newest_of_a_key_last_on_a_compacted_topic(
    stored: Database, embedded_bus: EmbeddedBus
) -> None:
    """Paused in mid-publish while another relay carried on, also an erasure."""

    class Paused(UnreliableBus):
        async def publish(self, messages: Sequence[Message]) -> None:
            if not self.batches:
                await append(stored, person("p1"))
                await stored.write(lambda conn: OUTBOX.erase(conn, PEOPLE, ["p2"], AT))
                await expire_leases(stored)
                await relay(stored, embedded_bus).drain()
                await expire_leases(stored)
            await super().publish(messages)

    await append(stored, person("p1"), person("p2"))
    late = Paused(embedded_bus)
    one = relay(stored, late)
    await one.drain()
    last = {(message.key, message.headers) for message in late.batches[-1]}
    assert {(key, dict(headers)["keyversion"]) for key, headers in last} == {
        ("p1", "2"),
        ("p2", "2"),
    }
    assert await unsent(stored) == 0


async def test_a_relay_that_starts_makes_good_what_a_dead_one_may_have_sent_late(
    stored: Database, embedded_bus: EmbeddedBus
) -> None:
    await append(stored, person("p1"), person("p2"), suspended("a"))
    await append(stored, person("p1"))
    await relay(stored, embedded_bus).drain()
    bus = UnreliableBus(embedded_bus)
    arrived = asyncio.Event()
    bus.after = lambda _: arrived.set()
    await expire_leases(stored)
    running = asyncio.create_task(relay(stored, bus).run())
    await arrived.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    again = {(it.key, dict(it.headers)["keyversion"]) for batch in bus.batches for it in batch}
    assert again == {("p1", "2"), ("p2", "1")}


async def test_a_lease_from_a_clock_that_was_set_back_does_not_hold(
    stored: Database, embedded_bus: EmbeddedBus
) -> None:
    assert await relay(stored, embedded_bus).drain() == 0
    ahead = AT + timedelta(days=36500)
    await stored.write(lambda conn: conn.execute(TABLES.lease.update().values(until=ahead)))
    await append(stored, suspended("a"))
    assert await relay(stored, embedded_bus).drain() == 1


async def test_two_relays_that_both_believe_to_hold_a_shard_keep_the_order(
    stored: Database, embedded_bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease creates no order: without one, first appearances still come in version order."""
    monkeypatch.setattr(relaying, "BATCH", 3)
    relays = [relay(stored, embedded_bus) for _ in range(2)]

    async def carry(one: Relay) -> None:
        while await unsent(stored):
            await expire_leases(stored)
            one._held = relaying._Held()  # it lost the lease without knowing, and takes it back
            await one.drain()

    async def write() -> None:
        for _ in range(10):
            await append(stored, *(suspended(key) for key in KEYS[:3]))

    await write()
    await asyncio.gather(write(), *(carry(one) for one in relays))
    await relays[0].drain()
    log = await whole_log(embedded_bus, PLAN)
    for key in KEYS[:3]:
        assert list(dict.fromkeys(versions(log, key))) == list(range(1, 21))


async def test_a_running_relay_outlives_a_bus_that_is_away_and_lets_go_of_its_shards(
    stored: Database, embedded_bus: EmbeddedBus
) -> None:
    bus = UnreliableBus(embedded_bus)
    carrying = relay(stored, bus)
    arrived = asyncio.Event()

    def away_at_first(messages: Sequence[Message]) -> None:
        if len(bus.batches) < 3:
            raise BusError("away")

    bus.before = away_at_first
    bus.after = lambda _: arrived.set()
    running = asyncio.create_task(carrying.run())
    await append(stored, suspended("a"))
    carrying.wake()
    await arrived.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await relay(stored, embedded_bus).drain()
    assert set(versions(await whole_log(embedded_bus, PLAN), "a")) == {1}
    query = select(func.count()).select_from(TABLES.lease)
    held = await stored.read(
        lambda conn: conn.execute(query.where(TABLES.lease.c.holder == carrying._holder)).scalar()
    )
    assert held == 0


async def test_a_hint_shortens_the_wait_for_the_next_poll(
    stored: Database, embedded_bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relaying, "POLL_SECONDS", 3600.0)
    bus = UnreliableBus(embedded_bus)
    arrived = asyncio.Event()
    bus.after = lambda _: arrived.set()
    carrying = relay(stored, bus)
    resting = asyncio.Event()
    rest = carrying._rest

    async def tell_and_rest() -> None:
        resting.set()
        await rest()

    monkeypatch.setattr(carrying, "_rest", tell_and_rest)
    running = asyncio.create_task(carrying.run())
    await resting.wait()
    await append(stored, suspended("a"))
    carrying.wake()
    await arrived.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_fault_that_no_retry_can_cure_ends_the_relay(
    stored: Database, embedded_bus: EmbeddedBus
) -> None:
    def broken(messages: Sequence[Message]) -> None:
        raise LookupError("a bug")

    await append(stored, suspended("a"))
    with pytest.raises(LookupError):
        await relay(stored, UnreliableBus(embedded_bus, before=broken)).run()


async def test_the_relay_reads_unsent_rows_by_an_index_that_holds_no_others(
    stored: Database, embedded_bus: EmbeddedBus
) -> None:
    if stored.dialect == "sqlite":
        query = (
            "EXPLAIN QUERY PLAN SELECT id FROM outbox WHERE sent_at IS NULL ORDER BY id LIMIT 500"
        )
        plan = await stored.read(lambda conn: conn.execute(text(query)).all())
        assert "ix_outbox_unsent" in str(plan)
    else:
        query = "SELECT indexdef FROM pg_indexes WHERE indexname = 'ix_outbox_unsent'"
        definition = await stored.read(lambda conn: conn.execute(text(query)).scalar_one())
        assert "WHERE (sent_at IS NULL)" in definition


async def test_the_backlog_is_counted(stored: Database, embedded_bus: EmbeddedBus) -> None:
    carrying = relay(stored, embedded_bus)
    assert await stored.read(carrying.backlog) == (0, 0.0)
    await append(stored, suspended("a"), suspended("b"))
    count, _ = await stored.read(carrying.backlog)
    assert count == 2

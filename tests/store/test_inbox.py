"""The inbox applies each event once and in order, whatever the bus repeats and whoever fails."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.bus.port import Message
from dealreg_shared.contracts.catalogue import PEOPLE, PLAN
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.db import Database
from dealreg_shared.inbox import Consumer
from dealreg_shared.inbox.tables import PARKED, WAITING
from tests.factories.inbox_story import METADATA, SEEN, TABLES, Story, plain
from tests.factories.travelling import SUSPENDED, message, person


@pytest.fixture(params=["one by one", "together"])
async def story(
    database: Database, embedded_bus: EmbeddedBus, request: pytest.FixtureRequest
) -> AsyncIterator[Story]:
    await database.write(METADATA.create_all)
    yield Story(database, embedded_bus, together=request.param == "together")


async def until(fact: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a fact; the test's own time limit bounds it."""
    while not await fact():
        await asyncio.sleep(0.02)


async def test_events_are_applied_in_order_and_once(story: Story) -> None:
    await story.publish(*plain("a", 1, 2), *plain("b", 1))
    assert await story.consumer.drain() == 3
    assert await story.seen("a") == [1, 2]
    assert await story.seen("b") == [1]
    assert await story.consumer.drain() == 0


async def test_repetitions_are_ignored_also_after_newer_events(story: Story) -> None:
    await story.publish(*plain("a", 1, 2, 1, 2, 3), *plain("a", 1, 2, 3), *plain("a", 4))
    await story.consumer.drain()
    assert await story.seen("a") == [1, 2, 3, 4]
    assert await story.status("a") == (4, None, None)


async def test_a_position_that_was_not_committed_repeats_without_effect(story: Story) -> None:
    await story.publish(*plain("a", 1, 2))
    await story.consumer.drain()
    async with story.bus.subscribe("readers", [PLAN, PEOPLE]) as subscription:
        await subscription.seek_to_beginning()
    assert await story.another().drain() == 2
    assert await story.seen("a") == [1, 2]


async def test_a_type_without_a_handler_advances_the_version(story: Story) -> None:
    consumer = Consumer(story.database, TABLES, story.bus, "others", [PLAN], {})
    await story.publish(*plain("a", 1, 2))
    await consumer.drain()
    assert await story.status("a") == (2, None, None)


async def test_effect_and_version_are_written_together_or_not_at_all(story: Story) -> None:
    story.poison.add(("a", 1))
    await story.publish(*plain("a", 1))
    await story.consumer.drain()
    assert await story.seen("a") == []
    assert (await story.status("a"))[0] == 0


async def test_a_poison_event_parks_its_key_while_the_others_go_on(story: Story) -> None:
    story.poison.add(("a", 2))
    await story.publish(*plain("a", 1, 2, 3), *plain("b", 1), *plain("a", 4), *plain("b", 2))
    await story.consumer.drain()
    assert await story.seen("a") == [1]
    assert await story.seen("b") == [1, 2]
    version, status, reason = await story.status("a")
    assert (version, status) == (1, PARKED)
    assert reason == "ValueError: cannot digest ('a', 2)"
    assert await story.aside("a") == [2, 3, 4]
    assert story.attempts["a", 2] == 4  # once in the batch, then as often as it may
    assert await story.consumer.drain() == 0


async def test_events_that_come_later_queue_behind_a_parked_one(story: Story) -> None:
    story.poison.add(("a", 1))
    await story.publish(*plain("a", 1))
    await story.consumer.drain()
    await story.publish(*plain("a", 2, 1, 2, 3))
    await story.consumer.drain()
    assert await story.aside("a") == [1, 2, 3]
    assert await story.seen("a") == []


async def test_a_batch_with_one_poison_applies_the_others_once(story: Story) -> None:
    story.poison.add(("k7", 1))
    await story.publish(*(item for number in range(20) for item in plain(f"k{number}", 1)))
    assert await story.consumer.drain() == 20
    for number in range(20):
        assert await story.seen(f"k{number}") == ([] if number == 7 else [1])


async def test_a_gap_parks_the_key_and_says_what_is_missing(story: Story) -> None:
    await story.publish(*plain("a", 1, 3, 4), *plain("b", 1))
    await story.consumer.drain()
    assert await story.seen("a") == [1]
    assert await story.seen("b") == [1]
    version, status, reason = await story.status("a")
    assert (version, status) == (1, PARKED)
    assert reason == "version 3 came after version 1: what is between is missing"
    assert await story.aside("a") == [3, 4]


async def test_an_event_that_waits_for_a_fact_is_applied_when_it_has_come(story: Story) -> None:
    story.missing["a", 2] = "plan 3 has not arrived"
    await story.publish(*plain("a", 1, 2, 3), *plain("b", 1))
    await story.consumer.drain()
    assert await story.seen("a") == [1]
    assert await story.seen("b") == [1]
    assert await story.status("a") == (1, WAITING, "plan 3 has not arrived")
    await story.consumer.drain()
    assert await story.status("a") == (1, WAITING, "plan 3 has not arrived")
    story.missing.clear()
    assert await story.another().drain() == 2
    assert await story.seen("a") == [1, 2, 3]
    assert await story.status("a") == (3, None, None)


async def test_waiting_never_parks_however_often_it_is_tried(story: Story) -> None:
    story.missing["a", 1] = "plan 3 has not arrived"
    await story.publish(*plain("a", 1))
    for _ in range(10):
        await story.consumer.drain()
    assert (await story.status("a"))[1] == WAITING


async def test_a_waiting_key_whose_event_turns_out_poison_is_parked(story: Story) -> None:
    story.missing["a", 1] = "plan 3 has not arrived"
    story.poison.add(("a", 1))
    await story.publish(*plain("a", 1))
    await story.consumer.drain()
    story.missing.clear()
    await story.consumer.drain()
    assert await story.status("a") == (0, PARKED, "ValueError: cannot digest ('a', 1)")


async def test_of_many_keys_that_wait_for_one_fact_only_one_is_tried_in_vain(
    story: Story,
) -> None:
    keys = [f"k{number}" for number in range(10)]
    for key in keys:
        story.missing[key, 1] = "plan 3 has not arrived"
    await story.publish(*(item for key in keys for item in plain(key, 1)))
    await story.consumer.drain()
    story.attempts.clear()
    await story.consumer.drain()
    assert story.attempts.total() == 1
    story.missing.clear()
    await story.consumer.drain()
    assert [await story.seen(key) for key in keys] == [[1]] * 10


async def test_a_message_that_is_no_event_holds_up_nobody(story: Story) -> None:
    junk = Message(PLAN, "a", b"\x00 not json")
    await story.publish(*plain("a", 1), junk, *plain("a", 2), Message(PLAN, "", b"{}"))
    await story.consumer.drain()
    assert await story.seen("a") == [1, 2]
    assert await story.status("a") == (2, None, None)
    assert await story.aside("a") == [None]
    assert await story.aside("") == [None]


async def test_a_repeated_position_of_such_a_message_is_stored_once(story: Story) -> None:
    await story.publish(Message(PLAN, "a", b"junk"))
    await story.consumer.drain()
    async with story.bus.subscribe("readers", [PLAN, PEOPLE]) as subscription:
        await subscription.seek_to_beginning()
    await story.another().drain()
    assert await story.aside("a") == [None]


async def test_an_unreadable_event_that_says_its_version_parks_its_key(story: Story) -> None:
    good = plain("a", 2)[0]
    damaged = Message(good.topic, good.key, b'{"type": "dealreg.no.such.v1"}', good.headers)
    await story.publish(*plain("a", 1), damaged, *plain("a", 3))
    await story.consumer.drain()
    assert await story.seen("a") == [1]
    assert await story.status("a") == (1, PARKED, "unknown event type 'dealreg.no.such.v1'")
    assert await story.aside("a") == [2, 3]


@pytest.mark.parametrize("key", ["x" * 500, "a\x00b"])
async def test_a_key_that_no_table_takes_does_not_stop_the_consumer(story: Story, key: str) -> None:
    await story.publish(Message(PLAN, key, b"{}"), *plain("a", 1))
    await story.consumer.drain()
    assert await story.seen("a") == [1]


async def test_an_event_under_another_key_is_not_applied(story: Story) -> None:
    stray = plain("a", 1)[0]
    await story.publish(Message(stray.topic, "b", stray.value, stray.headers))
    await story.consumer.drain()
    assert await story.seen("a") == await story.seen("b") == []
    assert (await story.status("b"))[1] == PARKED


async def test_on_a_compacted_topic_the_latest_wins_and_gaps_are_normal(story: Story) -> None:
    await story.publish(message(person("p", "Ada"), 3), message(person("p", "Grace"), 7))
    await story.consumer.drain()
    await story.publish(message(person("p", "Ada"), 3))  # a producer's late duplicate
    await story.consumer.drain()
    assert await story.seen("p") == [7]


async def test_a_tombstone_forgets_and_does_not_come_back(story: Story) -> None:
    tombstone = Message(PEOPLE, "p", None, (("keyversion", "2"),))
    await story.publish(message(person("p"), 1))
    await story.consumer.drain()
    await story.publish(tombstone, message(person("p"), 1))
    await story.consumer.drain()
    assert await story.seen("p") == []
    assert await story.status("p") == (2, None, None)


async def test_on_a_compacted_topic_a_newer_value_supersedes_what_is_parked(story: Story) -> None:
    bad = message(person("p"), 1)
    await story.publish(Message(bad.topic, bad.key, b"{}", bad.headers))
    await story.consumer.drain()
    assert (await story.status("p"))[1] == PARKED
    await story.publish(message(person("p"), 2))
    await story.consumer.drain()
    assert await story.seen("p") == [2]
    assert await story.status("p") == (2, None, None)
    assert await story.aside("p") == []


async def test_a_tombstone_removes_what_stood_aside(story: Story) -> None:
    """The data of a person that is to be forgotten may be in an event that could not be applied."""
    bad = message(person("p"), 1)
    await story.publish(Message(bad.topic, bad.key, b'{"name": "Ada"}', bad.headers))
    await story.consumer.drain()
    await story.publish(Message(PEOPLE, "p", None, (("keyversion", "2"),)))
    await story.consumer.drain()
    assert await story.status("p") == (2, None, None)
    query = select(func.count()).select_from(TABLES.aside)
    assert await story.database.read(lambda conn: conn.execute(query).scalar_one()) == 0


async def test_two_processes_with_one_batch_apply_it_once(story: Story) -> None:
    """A member that was thought dead still works on what its successor got too."""
    await story.publish(*(item for key in "abcdef" for item in plain(key, 1, 2, 3)))
    async with story.bus.subscribe("copy", [PLAN]) as subscription:
        deliveries = await subscription.fetch(100, 1.0)
        consumers = [story.another() for _ in range(4)]
        await asyncio.gather(*(one._process(subscription, deliveries) for one in consumers))
    for key in "abcdef":
        assert await story.seen(key) == [1, 2, 3]


@pytest.mark.parametrize("mode", ["in a batch", "one by one"])
async def test_trouble_of_the_database_is_waited_for_and_parks_nothing(
    story: Story, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """The disk is full for a while on SQLite, the connection is cut on PostgreSQL."""
    if mode == "one by one":
        story.poison.add(("z", 1))
    cuts = 8

    def cut(conn: Connection, event: Event[Any]) -> None:
        nonlocal cuts
        if cuts and event.partitionkey == "a":
            cuts -= 1
            if conn.dialect.name == "sqlite":
                conn.exec_driver_sql("PRAGMA max_page_count = 1")
                story._note(conn, "a", "x" * 1_000_000, 0)
            conn.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
        if conn.dialect.name == "sqlite":
            conn.exec_driver_sql("PRAGMA max_page_count = 1000000")
        story._apply(conn, event)

    monkeypatch.setattr("dealreg_shared.inbox.consume.LONGEST_PAUSE", 0.02)
    consumer = Consumer(
        story.database, TABLES, story.bus, "readers", [PLAN], {SUSPENDED: cut}, tries=2
    )
    await story.publish(*plain("z", 1), *plain("a", 1, 2))
    running = asyncio.create_task(consumer.run())

    async def applied() -> bool:
        return await story.seen("a") == [1, 2]

    await until(applied)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert cuts == 0
    assert await story.status("a") == (2, None, None)


async def test_a_running_consumer_takes_up_what_waits_by_itself(story: Story) -> None:
    story.missing["a", 1] = "plan 3 has not arrived"
    running = asyncio.create_task(story.consumer.run())
    await story.publish(*plain("a", 1), *plain("b", 1))

    async def b_is_done() -> bool:
        return await story.seen("b") == [1]

    async def a_is_done() -> bool:
        return await story.seen("a") == [1]

    await until(b_is_done)
    story.missing.clear()
    await until(a_is_done)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_rebuild_starts_from_the_first_message(story: Story) -> None:
    story.poison.add(("b", 1))
    await story.publish(*plain("a", 1, 2), *plain("b", 1))
    await story.consumer.drain()
    story.poison.clear()
    await story.consumer.rebuild(lambda conn: conn.execute(SEEN.delete()) and None)
    assert await story.seen("a") == []
    assert await story.consumer.drain() == 3
    assert await story.seen("a") == [1, 2]
    assert await story.seen("b") == [1]
    assert await story.consumer.drain() == 0


async def test_a_rebuild_is_remembered_when_the_process_dies_before_the_replay(
    story: Story,
) -> None:
    await story.publish(*plain("a", 1, 2))
    await story.consumer.drain()
    await story.consumer.rebuild(lambda conn: conn.execute(SEEN.delete()) and None)
    assert await story.another().drain() == 2
    assert await story.seen("a") == [1, 2]


async def test_a_rebuild_that_cannot_clear_changes_nothing(story: Story) -> None:
    await story.publish(*plain("a", 1))
    await story.consumer.drain()

    def fail(conn: Connection) -> None:
        conn.execute(SEEN.delete())
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        await story.consumer.rebuild(fail)
    assert await story.seen("a") == [1]
    assert await story.another().drain() == 0


async def test_a_handler_that_can_never_be_called_is_refused(story: Story) -> None:
    with pytest.raises(ValueError, match="no topic"):
        Consumer(story.database, TABLES, story.bus, "x", [PEOPLE], {SUSPENDED: story._apply})
    with pytest.raises(ValueError, match="no tombstones"):
        Consumer(story.database, TABLES, story.bus, "x", [PLAN], {}, {PLAN: story._forget})

"""Events that a handler takes many at once: each applied once, in its key's order, or its key aside."""

from typing import Any

import pytest
from sqlalchemy import Connection

from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.contracts.catalogue import PEOPLE, PLAN
from dealreg_shared.db import Database
from dealreg_shared.inbox import Consumer
from dealreg_shared.inbox.tables import PARKED, WAITING
from tests.factories.inbox_story import METADATA, TABLES, Story, plain
from tests.factories.travelling import SUSPENDED, message, person


@pytest.fixture
async def story(database: Database, embedded_bus: EmbeddedBus) -> Story:
    await database.write(METADATA.create_all)
    return Story(database, embedded_bus, together=True)


async def test_events_of_many_keys_are_handled_together(story: Story) -> None:
    await story.publish(*plain("a", 1), message(person("p"), 1), *plain("b", 1), *plain("c", 1))
    await story.consumer.drain()
    assert story.sets == [[("a", 1), ("b", 1), ("c", 1)]]
    assert await story.seen("p") == [1]


async def test_of_one_key_each_event_has_its_own_turn(story: Story) -> None:
    await story.publish(*plain("a", 1, 2), *plain("b", 1), *plain("a", 2, 3))
    await story.consumer.drain()
    assert story.sets == [[("a", 1), ("b", 1)], [("a", 2)], [("a", 3)]]
    assert await story.status("a") == (3, None, None)


async def test_a_poison_in_the_middle_parks_its_key_and_the_others_are_applied_once(
    story: Story,
) -> None:
    story.poison.add(("k7", 1))
    await story.publish(*(item for number in range(20) for item in plain(f"k{number}", 1)))
    assert await story.consumer.drain() == 20
    for number in range(20):
        assert await story.seen(f"k{number}") == ([] if number == 7 else [1])
    assert await story.status("k7") == (0, PARKED, "ValueError: cannot digest ('k7', 1)")
    assert len(story.sets[0]) == 20
    assert all(len(places) == 1 for places in story.sets[1:])


async def test_one_that_waits_does_so_alone(story: Story) -> None:
    story.missing["b", 1] = "plan 3 has not arrived"
    await story.publish(*plain("a", 1), *plain("b", 1, 2), *plain("c", 1))
    await story.consumer.drain()
    assert [await story.seen(key) for key in "abc"] == [[1], [], [1]]
    assert await story.status("b") == (0, WAITING, "plan 3 has not arrived")
    story.missing.clear()
    await story.consumer.drain()
    assert await story.seen("b") == [1, 2]
    assert await story.status("b") == (2, None, None)


async def test_a_process_that_dies_between_effect_and_commit_applies_nothing(story: Story) -> None:
    await story.publish(*plain("a", 1), *plain("b", 1))

    class Died(BaseException):
        """What no consumer catches."""

    def die(conn: Connection, events: Any) -> None:
        story._apply_all(conn, events)
        raise Died

    dying = Consumer(
        story.database, TABLES, story.bus, "readers", [PLAN], {}, together={SUSPENDED: die}
    )
    with pytest.raises(Died):
        await dying.drain()
    assert await story.seen("a") == await story.seen("b") == []
    await story.another().drain()
    assert await story.seen("a") == await story.seen("b") == [1]


async def test_a_handler_of_many_that_can_never_be_called_is_refused(story: Story) -> None:
    def never(conn: Connection, events: Any) -> None:
        raise AssertionError

    with pytest.raises(ValueError, match="no topic"):
        Consumer(story.database, TABLES, story.bus, "x", [PEOPLE], {}, together={SUSPENDED: never})

"""What a person can do about events that were set aside, and what never gets out of order by it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.bus.port import Message
from dealreg_shared.contracts.catalogue import PLAN
from dealreg_shared.db import Database
from dealreg_shared.inbox import ReplayStopped, park
from dealreg_shared.inbox.cli import Inbox, parked_commands
from dealreg_shared.inbox.tables import PARKED, WAITING
from tests.factories.inbox_story import METADATA, TABLES, Story, plain
from tests.factories.travelling import message, suspended


@pytest.fixture
async def story(database: Database, embedded_bus: EmbeddedBus) -> Story:
    await database.write(METADATA.create_all)
    return Story(database, embedded_bus)


async def damaged(story: Story) -> int:
    """Versions 1 to 4 of key a, of which 2 cannot be read; returns the number of that message."""
    good = plain("a", 2)[0]
    bad = Message(PLAN, "a", b"{}", good.headers)
    await story.publish(*plain("a", 1), bad, *plain("a", 3, 4), *plain("b", 1))
    await story.consumer.drain()
    events = await park.show_parked(story.database, TABLES, "readers", PLAN, "a")
    assert [event.version for event in events] == [2, 3, 4]
    return events[0].id


async def replay(story: Story) -> int:
    return await story.consumer.replay(PLAN, "a")


async def test_the_list_names_the_key_the_reason_and_how_much_waits(story: Story) -> None:
    await damaged(story)
    (key,) = await park.list_parked(story.database, TABLES)
    assert (key.consumer, key.topic, key.key) == ("readers", PLAN, "a")
    assert (key.status, key.applied_version, key.events) == (PARKED, 1, 3)
    assert key.reason == "unknown event type None"
    assert key.since is not None
    assert await park.list_parked(story.database, TABLES, "others") == []


async def test_a_mended_event_is_replayed_with_those_behind_it_in_order(story: Story) -> None:
    event_id = await damaged(story)
    right = message(suspended("a", "mended"), 2).value
    assert right is not None
    assert await park.mend(story.database, TABLES, event_id, right) == 2
    assert await replay(story) == 3
    assert await story.seen("a") == [1, 2, 3, 4]
    assert await story.status("a") == (4, None, None)
    assert await park.list_parked(story.database, TABLES) == []
    await story.publish(*plain("a", 5))
    await story.consumer.drain()
    assert await story.seen("a") == [1, 2, 3, 4, 5]


async def test_a_mended_event_keeps_what_it_was(story: Story) -> None:
    event_id = await damaged(story)
    for reason in ("first try", "second try"):
        body = message(suspended("a", reason), 2).value
        assert body is not None
        await park.mend(story.database, TABLES, event_id, body)
    await replay(story)
    table = TABLES.aside
    row = await story.database.read(
        lambda conn: conn.execute(select(table).where(table.c.id == event_id)).one()
    )
    assert (row.original, row.resolution) == (b"{}", "applied")
    assert b"second try" in row.body


@pytest.mark.parametrize(
    ("key", "version", "complaint"),
    [("b", 2, "the message has key 'a'"), ("a", 3, "must keep version 2, not 3")],
)
async def test_another_event_is_no_mending(
    story: Story, key: str, version: int, complaint: str
) -> None:
    event_id = await damaged(story)
    body = message(suspended(key), version).value
    assert body is not None
    with pytest.raises(park.MendRefused, match=complaint):
        await park.mend(story.database, TABLES, event_id, body)


async def test_a_text_that_is_no_event_is_no_mending(story: Story) -> None:
    event_id = await damaged(story)
    with pytest.raises(park.MendRefused, match="not JSON"):
        await park.mend(story.database, TABLES, event_id, b"nonsense")
    with pytest.raises(park.ParkedEventUnknown):
        await park.mend(story.database, TABLES, event_id + 1000, b"nonsense")


async def test_a_replay_stops_where_it_still_fails_and_keeps_what_it_did(story: Story) -> None:
    story.poison |= {("a", 2), ("a", 4)}
    await story.publish(*plain("a", 1, 2, 3, 4, 5))
    await story.consumer.drain()
    story.poison.discard(("a", 2))
    with pytest.raises(ReplayStopped, match="version 4: ValueError: cannot digest"):
        await replay(story)
    assert await story.seen("a") == [1, 2, 3]
    assert await story.status("a") == (3, PARKED, "ValueError: cannot digest ('a', 4)")
    story.poison.clear()
    assert await replay(story) == 2
    assert await story.seen("a") == [1, 2, 3, 4, 5]


async def test_a_replay_that_lacks_a_fact_waits_by_itself(story: Story) -> None:
    story.poison.add(("a", 1))
    await story.publish(*plain("a", 1, 2))
    await story.consumer.drain()
    story.poison.clear()
    story.missing["a", 1] = "plan 3 has not arrived"
    with pytest.raises(ReplayStopped, match="plan 3 has not arrived"):
        await replay(story)
    assert (await story.status("a"))[1] == WAITING
    story.missing.clear()
    await story.another().drain()
    assert await story.seen("a") == [1, 2]


async def test_a_lost_event_can_be_dropped_with_a_reason(story: Story) -> None:
    await story.publish(*plain("a", 1, 3, 4))
    await story.consumer.drain()
    with pytest.raises(ReplayStopped, match="what is between is missing"):
        await replay(story)
    for version, reason, complaint in ((3, "x", "waits for version 2"), (2, " ", "a reason")):
        with pytest.raises(park.DropRefused, match=complaint):
            await park.drop(story.database, TABLES, "readers", PLAN, "a", version, reason)
    await park.drop(story.database, TABLES, "readers", PLAN, "a", 2, "lost with disk 7")
    assert await replay(story) == 2
    assert await story.seen("a") == [1, 3, 4]
    table = TABLES.aside
    how = await story.database.read(
        lambda conn: conn.execute(
            select(table.c.resolution).where(table.c.version == 2)
        ).scalar_one()
    )
    assert how == "dropped: lost with disk 7"


async def test_a_poison_event_can_be_dropped(story: Story) -> None:
    story.poison.add(("a", 2))
    await story.publish(*plain("a", 1, 2, 3))
    await story.consumer.drain()
    await park.drop(story.database, TABLES, "readers", PLAN, "a", 2, "sent by mistake")
    assert await replay(story) == 1
    assert await story.seen("a") == [1, 3]


async def test_a_lost_event_that_comes_after_all_is_applied_in_its_place(story: Story) -> None:
    await story.publish(*plain("a", 1, 3))
    await story.consumer.drain()
    await story.publish(*plain("a", 2))
    await story.consumer.drain()
    assert await replay(story) == 2
    assert await story.seen("a") == [1, 2, 3]


async def test_what_is_not_set_aside_cannot_be_dropped(story: Story) -> None:
    await story.publish(*plain("a", 1))
    await story.consumer.drain()
    with pytest.raises(park.DropRefused, match="has not set aside"):
        await park.drop(story.database, TABLES, "readers", PLAN, "a", 2, "why not")


async def test_a_message_that_is_no_event_is_listed_until_it_is_discarded(story: Story) -> None:
    await story.publish(Message(PLAN, "a", b"junk"), *plain("a", 1))
    await story.consumer.drain()
    (key,) = await park.list_parked(story.database, TABLES)
    assert (key.status, key.events) == (None, 1)
    (event,) = await park.show_parked(story.database, TABLES, "readers", PLAN, "a")
    with pytest.raises(park.DropRefused, match="reason"):
        await park.discard(story.database, TABLES, event.id, "")
    await park.discard(story.database, TABLES, event.id, "a test of the broker")
    assert await park.list_parked(story.database, TABLES) == []


async def test_an_event_that_arrives_during_a_replay_is_not_stranded(story: Story) -> None:
    """A consumer and a replay on one key at once, again and again: nothing is left behind or lost."""
    story.poison.add(("a", 1))
    await story.publish(*plain("a", 1))
    await story.consumer.drain()
    story.poison.clear()
    other = story.another()

    async def arrive() -> None:
        for version in range(2, 40):
            await story.publish(*plain("a", version))
            await story.consumer.drain()

    async def repeat() -> None:
        while await story.seen("a") != list(range(1, 40)):
            await other.replay(PLAN, "a")
            await asyncio.sleep(0)

    async with asyncio.timeout(60):
        await asyncio.gather(arrive(), repeat())
    assert await story.aside("a") == []
    assert await story.status("a") == (39, None, None)


async def test_the_commands_list_show_mend_and_replay(
    database_url: str, story: Story, tmp_path: Path
) -> None:
    """Each command opens what it needs by itself, as a service's command line does."""
    event_id = await damaged(story)

    @asynccontextmanager
    async def opened() -> AsyncIterator[Inbox]:
        database = Database(database_url)
        try:
            yield Inbox(database, TABLES, [Story(database, story.bus).consumer])
        finally:
            await database.dispose()

    commands = parked_commands(opened)

    async def run(*arguments: str) -> tuple[int, str]:
        result = await asyncio.to_thread(CliRunner().invoke, commands, arguments)
        return result.exit_code, result.output

    code, output = await run("list")
    assert code == 0
    assert "parked" in output
    assert "readers  dealreg.plan  a  applied 1, aside 3" in output
    code, output = await run("show", "readers", PLAN, "a")
    assert f"[{event_id}] version 2: unknown event type None" in output
    assert "version 3: stands behind" in output
    file = tmp_path / "event.json"
    file.write_bytes(b"nonsense")
    code, output = await run("mend", str(event_id), "--file", str(file))
    assert (code, "no event for that place" in output) == (1, True)
    file.write_bytes(message(suspended("a"), 2).value or b"")
    assert (await run("mend", str(event_id), "--file", str(file)))[0] == 0
    code, output = await run("replay", "nobody", PLAN, "a")
    assert (code, "there are: readers" in output) == (1, True)
    code, output = await run("replay", "readers", PLAN, "a")
    assert (code, output) == (0, "3 applied; a goes on\n")
    assert await story.seen("a") == [1, 2, 3, 4]
    assert (await run("list"))[1] == "0 keys\n"
    code, output = await run("drop", "readers", PLAN, "a", "9", "--reason", "x")
    assert (code, "has not set aside" in output) == (1, True)
    code, output = await run("discard", "99999", "--reason", "x")
    assert (code, "no message 99999" in output) == (1, True)

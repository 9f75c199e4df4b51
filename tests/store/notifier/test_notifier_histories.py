"""Whatever happens to a case: the stored state agrees with the level that the rules give."""

import asyncio
import random
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from dealreg_notifier import store, tables
from dealreg_notifier.consumers import TELLING, TELLING_TOGETHER
from dealreg_notifier.handlers.timers import fire_due
from dealreg_shared.contracts.base import EventData
from dealreg_shared.contracts.catalogue import REGISTRATION
from dealreg_shared.db import Database
from dealreg_shared.db.migrate import migrate
from dealreg_shared.ladder import Course, level_at, missed
from tests.factories import notifier as make
from tests.factories.ladder_story import Story
from tests.factories.notifier import START, Events
from tests.factories.notifier_store import (
    PACKAGE,
    Store,
    desk,
    plan_and_people,
    published,
)
from tests.factories.notifier_world import Clock

minutes = st.integers(0, 2_000)
WORDS = ("open", "join", "review", "take", "pause", "resume", "close", "tick", "tick", "tick")
steps = st.lists(
    st.tuples(st.sampled_from(WORDS), minutes, st.integers(0, 2), st.integers(0, 90)),
    min_size=1,
    max_size=25,
)
HistoryStep = tuple[str, int, int, int]


@pytest.fixture(scope="session")
async def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file with a plan and its people, to be copied."""
    path = tmp_path_factory.mktemp("notifier-template") / "template.db"
    clock = Clock()
    database = Database(f"sqlite:///{path}", now=clock)
    await migrate(database, PACKAGE)
    publisher = Events(clock)
    await plan_and_people(Store(database, database, clock), publisher)
    await database.dispose()
    return path


@given(
    history=steps,
    named=st.lists(st.sampled_from(["mia", "vic", "cleo", None]), min_size=3, max_size=3),
)
@settings(max_examples=60, deadline=None)
def test_the_state_agrees_with_the_level_at_every_tick(
    template: Path, history: list[HistoryStep], named: list[str | None]
) -> None:
    """Random histories of three cases, with hours without a tick; events may come late."""
    copy = template.with_name(f"{uuid4().hex}.db")
    shutil.copy(template, copy)
    asyncio.run(_agrees(copy, history, named))
    copy.unlink()


async def _agrees(path: Path, history: list[HistoryStep], named: list[str | None]) -> None:
    clock = Clock()
    database = Database(f"sqlite:///{path}", now=clock)
    try:
        await play(Store(database, database, clock), history, named)
    finally:
        await database.dispose()


async def test_the_state_agrees_with_the_level_on_both_databases(
    ready: tuple[Store, Events],
) -> None:
    made, _ = ready
    chance = random.Random(4)  # noqa: S311  (always the same histories)
    for number in range(8):
        history = [
            (
                chance.choice(WORDS),
                chance.randrange(2_000),
                chance.randrange(3),
                chance.randrange(90),
            )
            for _ in range(40)
        ]
        await play(made, history, ["mia", "vic", "cleo"], f"cnf_{number}")
        await made.at(START)


PAST = {
    "open": "opened",
    "join": "joined",
    "review": "reviewed",
    "take": "taken",
    "pause": "paused",
    "resume": "resumed",
    "close": "closed",
}


def act(story: Story, word: str, now: datetime, more: int) -> EventData | None:
    """What happens to a case, if it can."""
    is_open = bool(story.course.stamps[0].deadlines)
    if word == "open":
        return None if is_open else story.opened(now)
    if not is_open or story.course.closed_at is not None:
        return None
    match word:
        case "join":
            return make.joined(conflict_id=story.conflict_id, at=now)
        case "review":
            return story.reviewed(now)
        case "take":
            return story.taken(now, 1 + more % 3)
        case "pause":
            return story.paused(now, timedelta(minutes=more * 10))
        case "resume":
            return story.resumed(now)
        case "close":
            return story.closed(now)
        case _:
            return None


def heard_by(event: Any) -> Callable[[Connection], None]:
    if event.type in TELLING_TOGETHER[REGISTRATION]:
        together = TELLING_TOGETHER[REGISTRATION][event.type]
        return lambda conn: together(conn, [event], desk())
    handler = TELLING[REGISTRATION][event.type]
    return lambda conn: handler(conn, event, desk())


async def play(
    made: Store, history: list[HistoryStep], named: list[str | None], name: str = "cnf"
) -> None:
    """Let it happen, and compare at every tick what notifier holds with what it has heard of."""
    publisher = Events(made.clock)
    stories = [Story(f"{name}_{number}", named) for number in range(3)]
    waiting: list[tuple[datetime, int, Story, str, EventData, Course]] = []
    last: dict[str, datetime] = {}
    heard: dict[str, Course] = {}
    for order, (word, minute, number, more) in enumerate(sorted(history, key=lambda s: s[1])):
        now, story = START + timedelta(minutes=minute), stories[number]
        await made.at(now)
        data = act(story, word, now, more)
        if data is not None:
            arrives = max(last.get(story.conflict_id, START), now + timedelta(minutes=more % 7))
            last[story.conflict_id] = arrives
            waiting.append((arrives, order, story, PAST[word], data, story.course))
            waiting.sort(key=lambda item: item[:2])
        while waiting and waiting[0][0] <= now:
            _, _, known, past, data, course = waiting.pop(0)
            await made.first.write(heard_by(publisher.event(f"conflict.{past}", data)))
            heard[known.conflict_id] = course
        if word == "tick":
            while await made.first.write(lambda conn: fire_due(conn, desk())):
                pass
            await made.first.read(partial(_compare, heard=dict(heard), now=now))
    events = await made.first.read(published)
    ends = [key for word, key, _ in events if word == "ended"]
    assert len(ends) == len(set(ends))


def _compare(conn: Connection, heard: dict[str, Course], now: datetime) -> None:
    rows = conn.execute(tables.conflict_case.select()).mappings().all()
    found = {row["conflict_id"]: store.case_of(row) for row in rows}
    assert heard.keys() <= found.keys()
    for conflict_id, course in heard.items():
        case = found[conflict_id]
        assert case.course == course
        assert case.level == level_at(course, now)
        assert {rung.level for rung in missed(course, now)} <= set(
            case.recorded
        ) or course.closed_at

"""A unit of work is committed whole or not at all, on SQLite and PostgreSQL alike."""

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from dealreg_shared.db import Database, JsonText, UtcDateTime, app_now
from dealreg_shared.db.engine import POSTGRES_LIMITS
from dealreg_shared.db.types import canonical_json

METADATA = MetaData()
COUNTER = Table(
    "counter", METADATA, Column("id", Integer, primary_key=True), Column("value", Integer)
)
ENTRY = Table(
    "entry",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String, unique=True),
    Column("at", UtcDateTime),
    Column("body", JsonText),
)

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
"""For what the two do differently; each has a test of its own."""


@pytest.fixture
async def tables(database: Database) -> Database:
    """The database with the tables of these tests, and a counter at 0."""
    await database.write(METADATA.create_all)
    await database.write(lambda conn: conn.execute(COUNTER.insert().values(id=1, value=0)))
    return database


def put(name: str, **values: Any) -> Callable[[Connection], None]:
    def work(conn: Connection) -> None:
        conn.execute(ENTRY.insert().values(name=name, **values))

    return work


def names(conn: Connection) -> list[str]:
    return list(conn.execute(select(ENTRY.c.name).order_by(ENTRY.c.id)).scalars())


async def test_the_result_of_the_work_is_given_back(tables: Database) -> None:
    assert await tables.write(lambda conn: conn.execute(select(COUNTER.c.value)).scalar_one()) == 0


async def test_what_raises_leaves_nothing_behind(tables: Database) -> None:
    class Refused(Exception):
        pass

    def work(conn: Connection) -> None:
        put("first")(conn)
        raise Refused

    with pytest.raises(Refused):
        await tables.write(work)
    assert await tables.read(names) == []


async def test_what_the_database_refuses_leaves_nothing_behind(tables: Database) -> None:
    def work(conn: Connection) -> None:
        put("twice")(conn)
        put("twice")(conn)

    with pytest.raises(IntegrityError):
        await tables.write(work)
    assert await tables.read(names) == []

    await tables.write(put("twice"))
    assert await tables.read(names) == ["twice"]


async def test_a_read_sees_the_last_commit(tables: Database) -> None:
    for number in range(20):
        await tables.write(put(f"entry {number}"))
        assert len(await tables.read(names)) == number + 1


@ON_SQLITE
async def test_a_read_stays_on_what_it_saw_first(tables: Database) -> None:
    loop = asyncio.get_running_loop()

    def look_twice(conn: Connection) -> list[int]:
        before = len(names(conn))
        asyncio.run_coroutine_threadsafe(tables.write(put("meanwhile")), loop).result(30)
        return [before, len(names(conn))]

    assert await tables.read(look_twice) == [0, 0]


@ON_POSTGRESQL
async def test_a_read_on_postgresql_is_of_one_snapshot(tables: Database) -> None:
    assert await tables.read(shown("SHOW transaction_isolation")) == "repeatable read"
    assert await tables.write(shown("SHOW transaction_isolation")) == "read committed"


async def test_concurrent_writers_lose_nothing(tables: Database) -> None:
    def add_one(conn: Connection) -> None:
        lock = select(COUNTER.c.value).where(COUNTER.c.id == 1).with_for_update()
        value = conn.execute(lock).scalar_one()
        conn.execute(COUNTER.update().where(COUNTER.c.id == 1).values(value=value + 1))

    await asyncio.gather(*(tables.write(add_one) for _ in range(100)))

    assert await tables.read(lambda conn: conn.execute(select(COUNTER.c.value)).scalar_one()) == 100


async def test_two_processes_on_one_database_lose_nothing(tables: Database) -> None:
    """A second ``Database`` on the same file or server, as another process has it."""
    other = Database(tables.url.render_as_string(hide_password=False))

    def add_one(conn: Connection) -> None:
        lock = select(COUNTER.c.value).where(COUNTER.c.id == 1).with_for_update()
        value = conn.execute(lock).scalar_one()
        conn.execute(COUNTER.update().where(COUNTER.c.id == 1).values(value=value + 1))

    try:
        await asyncio.gather(
            *(database.write(add_one) for _ in range(25) for database in (tables, other))
        )
        seen = await other.read(lambda conn: conn.execute(select(COUNTER.c.value)).scalar_one())
    finally:
        await other.dispose()
    assert seen == 50


@ON_SQLITE
async def test_a_reader_is_not_held_up_by_a_writer(tables: Database) -> None:
    started, read = threading.Event(), threading.Event()

    def slow(conn: Connection) -> bool:
        put("slow")(conn)
        started.set()
        return read.wait(30)

    writing = asyncio.create_task(tables.write(slow))
    await asyncio.to_thread(started.wait, 30)
    assert await tables.read(names) == []
    read.set()
    assert await writing
    assert await tables.read(names) == ["slow"]


@ON_SQLITE
async def test_who_is_cancelled_waits_for_the_end_of_its_transaction(tables: Database) -> None:
    started, go_on = threading.Event(), threading.Event()

    def work(conn: Connection) -> None:
        put("cancelled meanwhile")(conn)
        started.set()
        go_on.wait(30)

    task = asyncio.create_task(tables.write(work))
    await asyncio.to_thread(started.wait, 30)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done(), "its transaction is still running"
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await tables.read(names) == ["cancelled meanwhile"]


@ON_POSTGRESQL
async def test_who_is_cancelled_on_postgresql_has_written_nothing(tables: Database) -> None:

    def work(conn: Connection) -> None:
        put("never")(conn)
        conn.execute(text("SELECT pg_sleep(30)"))

    task = asyncio.create_task(tables.write(work))
    asleep = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event = 'PgSleep'"
    )
    while not await tables.read(lambda conn: conn.execute(asleep).scalar_one()):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await tables.read(names) == []
    await tables.write(put("after"))


@pytest.mark.parametrize(
    "at",
    [
        datetime(2027, 3, 1, 12, 30, 0, 123456, tzinfo=UTC),
        datetime(2027, 3, 1, 12, 30, tzinfo=timezone(timedelta(hours=-8))),
        datetime(1, 1, 2, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        None,
    ],
)
async def test_an_instant_comes_back_as_it_was_written(
    tables: Database, at: datetime | None
) -> None:
    await tables.write(put("moment", at=at))

    found = await tables.read(lambda conn: conn.execute(select(ENTRY.c.at)).scalar_one())

    assert found == at
    assert found is None or found.utcoffset() == timedelta(0)


async def test_instants_are_compared_as_instants(tables: Database) -> None:
    early = datetime(999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    late = datetime(2027, 3, 1, 0, 0, tzinfo=UTC)
    await tables.write(put("late", at=late))
    await tables.write(put("early", at=early))

    def before(conn: Connection) -> list[str]:
        limit = late.astimezone(timezone(timedelta(hours=9)))
        return list(conn.execute(select(ENTRY.c.name).where(ENTRY.c.at < limit)).scalars())

    assert await tables.read(before) == ["early"]


async def test_a_time_without_a_zone_is_refused(tables: Database) -> None:
    naive = datetime(2027, 3, 1)  # noqa: DTZ001 - this is what must be refused

    with pytest.raises(StatementError, match="naive"):
        await tables.write(put("naive", at=naive))
    assert await tables.read(names) == []


async def test_json_is_kept_as_the_one_spelling_of_its_value(tables: Database) -> None:
    value = {"b": [1, None, True], "a": "Café", "": {}}
    await tables.write(put("json", body=value))

    def kept(conn: Connection) -> tuple[str, Any]:
        as_text = conn.execute(text("SELECT body FROM entry")).scalar_one()
        return as_text, conn.execute(select(ENTRY.c.body)).scalar_one()

    assert await tables.read(kept) == (canonical_json(value), value)


async def test_the_clock_moves_within_a_transaction(tables: Database) -> None:
    def read_twice(conn: Connection) -> tuple[datetime, datetime]:
        first = app_now(conn)
        while (second := app_now(conn)) == first:
            time.sleep(0.001)
        return first, second

    first, second = await tables.write(read_twice)

    assert first < second
    assert first.utcoffset() == timedelta(0)


async def test_the_clock_on_sqlite_is_the_one_that_was_given(tmp_path: Any) -> None:
    at = datetime(2031, 5, 6, 7, 8, 9, 10, tzinfo=UTC)
    database = Database(f"sqlite:///{tmp_path}/clock.db", now=lambda: at)
    try:
        assert await database.read(app_now) == at
        assert await database.write(app_now) == at
    finally:
        await database.dispose()


def shown(statement: str) -> Callable[[Connection], str]:
    return lambda conn: str(conn.execute(text(statement)).scalar_one())


@ON_POSTGRESQL
@pytest.mark.parametrize(("name", "value"), POSTGRES_LIMITS.items())
async def test_every_session_has_limits(tables: Database, name: str, value: str) -> None:
    setting = shown(f"SELECT setting FROM pg_settings WHERE name = '{name}'")

    assert (await tables.write(setting), await tables.read(setting)) == (value, value)


@ON_SQLITE
@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", "2"),
        ("busy_timeout", "5000"),
        ("foreign_keys", "1"),
    ],
)
async def test_every_connection_is_set_up(tables: Database, pragma: str, value: str) -> None:
    setting = shown(f"PRAGMA {pragma}")

    assert (await tables.write(setting), await tables.read(setting)) == (value, value)


@ON_POSTGRESQL
async def test_a_session_that_sleeps_in_a_transaction_is_ended(tables: Database) -> None:

    def stall(conn: Connection) -> None:
        conn.execute(text("SET LOCAL idle_in_transaction_session_timeout = '100ms'"))
        put("stalled")(conn)
        time.sleep(0.5)
        conn.execute(select(func.count()).select_from(ENTRY))

    with pytest.raises(DBAPIError):
        await tables.write(stall)
    assert await tables.read(names) == []


@ON_POSTGRESQL
async def test_a_read_on_postgresql_cannot_write(tables: Database) -> None:
    with pytest.raises(DBAPIError, match="read-only transaction"):
        await tables.read(put("written by a reader"))


def test_another_kind_of_database_is_named() -> None:
    with pytest.raises(ValueError, match="'mysql'"):
        Database("mysql://localhost/dealreg")

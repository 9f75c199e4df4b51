"""Heartbeats: a row changes while its part turns, and stands still when it does not."""

from sqlalchemy import MetaData

from dealreg_shared.db import Database, app_now
from dealreg_shared.heartbeat import (
    AUDITOR,
    AUDITOR_SILENT_SECONDS,
    BEAT_SECONDS,
    Pulse,
    Standing,
    beat,
    heartbeat_table,
    heartbeats,
)
from dealreg_shared.turns import Turns

metadata = MetaData()
TABLE = heartbeat_table(metadata)


class Seconds:
    """A monotonic clock in the test's hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def made(database: Database) -> tuple[Pulse, Seconds]:
    await database.write(metadata.create_all)
    seconds = Seconds()
    return Pulse(database, TABLE, "test", clock=seconds), seconds


async def test_only_the_parts_that_turned_are_said_to_move(database: Database) -> None:
    pulse, _ = await made(database)
    moving, stuck = Turns(), Turns()
    await pulse.declare({"moving": moving, "stuck": stuck})
    before = await database.read(lambda conn: heartbeats(conn, TABLE))
    assert set(before) == {"moving", "stuck"}

    moving()
    await pulse.beat()
    after = await database.read(lambda conn: heartbeats(conn, TABLE))

    assert after["moving"] > before["moving"]
    assert after["stuck"] == before["stuck"]


async def test_a_part_that_is_no_more_is_forgotten_and_the_auditor_is_not(
    database: Database,
) -> None:
    pulse, _ = await made(database)
    await pulse.declare({"old": Turns()})
    await database.write(lambda conn: beat(conn, TABLE, [AUDITOR], app_now(conn)))

    await pulse.declare({"new": Turns()})

    assert set(await database.read(lambda conn: heartbeats(conn, TABLE))) == {"new", AUDITOR}


async def test_a_service_names_an_auditor_that_stands_still(database: Database) -> None:
    pulse, seconds = await made(database)
    await pulse.declare({})
    await pulse.beat()
    assert pulse.auditor() == "none"

    async def passes() -> None:
        seconds.now += BEAT_SECONDS
        await pulse.beat()

    await database.write(lambda conn: beat(conn, TABLE, [AUDITOR], app_now(conn)))
    await passes()
    assert pulse.auditor() == "ok"
    for _ in range(int(AUDITOR_SILENT_SECONDS / BEAT_SECONDS) + 1):
        await passes()
    assert pulse.auditor() == "silent"

    await database.write(lambda conn: beat(conn, TABLE, [AUDITOR], app_now(conn)))
    await passes()
    assert pulse.auditor() == "ok"


def test_who_was_stopped_itself_gives_the_others_their_time_again() -> None:
    seconds = Seconds()
    standing = Standing(5.0, seconds)
    standing.look({"a": 1})
    seconds.now += 3600

    assert standing.look({"a": 1, "b": 1}) == {"a": 10.0, "b": 0.0}
    seconds.now += 5
    assert standing.look({"a": 2, "b": 1}) == {"a": 0.0, "b": 5.0}

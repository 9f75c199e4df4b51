"""Writers, relays and consumers of an outbox alone, each a process that can be killed and paused.

``PROOF_SEED``, ``PROOF_EVENTS``, ``PROOF_WRITERS`` and ``PROOF_KEYS`` say what a writing process
appends; ``PROOF_ROGUE``: a relay that heeds no lease. One event in ten is on a compacted topic.
"""

import asyncio
import os
import random
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zlib import crc32

from sqlalchemy import BigInteger, Column, Connection, MetaData, String, Table
from sqlalchemy.dialects import postgresql, sqlite

from dealreg_shared.bus.port import Bus
from dealreg_shared.config import SharedSettings, load
from dealreg_shared.contracts.catalogue import PEOPLE, PLAN
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.db import Database, app_now
from dealreg_shared.db.faults import is_transient
from dealreg_shared.inbox import Consumer, inbox_tables
from dealreg_shared.outbox import Outbox, Outgoing, Relay, outbox_tables
from dealreg_shared.outbox.append import SHARDS
from tests.factories.travelling import PERSON, SUSPENDED, person, suspended

WRITING = MetaData()
TABLES = outbox_tables(WRITING)
OUTBOX = Outbox(TABLES, "/dealreg/registration", "default")

CONSUMING = MetaData()
INBOX = inbox_tables(CONSUMING)
STATE = Table(
    "state",
    CONSUMING,
    Column("key", String(40), primary_key=True),
    Column("value", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False),
)
"""What the events of a key come to: another one if any is left out, repeated or out of turn."""

PRIME = 1_000_000_007
TRANSACTIONS = (1, 5, 20, 60)
"""Events in one."""

ROLLED_BACK = 0.03


def run(role: str, make_bus: Callable[[SharedSettings], Bus], now: Callable[[], datetime]) -> None:
    """``role``: writer, relay or consumer. Only a writer ends by itself."""
    settings = load(SharedSettings)
    owner = "COVERAGE" if role == "consumer" else "REGISTRATION"
    database = Database(os.environ[f"DEALREG_{owner}_DATABASE_URL"], now=now)
    if role == "writer":
        asyncio.run(_write(database))
    elif role == "relay":
        asyncio.run(_relay(database, make_bus(settings)))
    else:
        asyncio.run(_consume(database, make_bus(settings)))


def of_event(event_id: str) -> int:
    """What an event adds to its key's state."""
    return crc32(event_id.encode()) % PRIME


async def _write(database: Database) -> None:
    seed, left = int(os.environ["PROOF_SEED"]), int(os.environ["PROOF_EVENTS"])
    writers, keys = int(os.environ["PROOF_WRITERS"]), int(os.environ["PROOF_KEYS"])
    async with asyncio.TaskGroup() as group:
        for number in range(writers):
            share = left // (writers - number)
            left -= share
            group.create_task(_writer(database, random.Random(seed + number), share, keys))  # noqa: S311  (can be repeated, no secret)
    await database.dispose()


class _RolledBack(Exception):
    """A transaction that its writer gave up."""


async def _writer(database: Database, chance: random.Random, left: int, keys: int) -> None:
    while left:
        size = min(left, chance.choice(TRANSACTIONS))
        items = [_event(chance, keys) for _ in range(size)]
        given_up = chance.random() < ROLLED_BACK

        def append(
            conn: Connection, items: list[Outgoing] = items, given_up: bool = given_up
        ) -> None:
            OUTBOX.append(conn, items, app_now(conn))
            if given_up:
                raise _RolledBack

        try:
            await database.write(append)
        except _RolledBack:
            continue
        except Exception as error:
            if not is_transient(error):
                raise
            await asyncio.sleep(0.05)
            continue
        left -= size


def _event(chance: random.Random, keys: int) -> Outgoing:
    key = chance.randrange(keys)
    return person(f"p{key}") if key % 10 == 0 else suspended(f"k{key}")


async def _relay(database: Database, bus: Bus) -> None:
    relay = Relay(database, TABLES, bus, "proof-relay")
    if "PROOF_ROGUE" in os.environ:
        setattr(relay, "_lease", lambda _conn: tuple(range(SHARDS)))  # noqa: B010  (a planted fault; mypy refuses =)
    await relay.run()


async def _consume(database: Database, bus: Bus) -> None:
    handlers = {SUSPENDED: _chain, PERSON: _latest}
    await Consumer(database, INBOX, bus, "proof", [PLAN, PEOPLE], handlers).run()


def _chain(conn: Connection, event: Event[Any]) -> None:
    statement = _insert(conn, event)
    added = (STATE.c.value * 31 + statement.excluded.value) % PRIME
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=[STATE.c.key], set_={"value": added, "events": STATE.c.events + 1}
        )
    )


def _latest(conn: Connection, event: Event[Any]) -> None:
    """Of a compacted topic, a consumer may see the last event of a key alone."""
    statement = _insert(conn, event)
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=[STATE.c.key], set_={"value": statement.excluded.value}
        )
    )


def _insert(conn: Connection, event: Event[Any]) -> Any:
    insert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    row = {"key": event.partitionkey, "value": of_event(str(event.id)), "events": 1}
    return insert(STATE).values(row)

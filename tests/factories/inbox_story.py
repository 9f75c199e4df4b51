"""A consumer over real parts, whose handlers fail where the test says so, and what it has done."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, select

from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.bus.port import Message
from dealreg_shared.contracts.catalogue import PEOPLE, PLAN
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.db import Database
from dealreg_shared.inbox import Consumer, NotYet, inbox_tables
from tests.factories.travelling import PERSON, SUSPENDED, message, suspended

METADATA = MetaData()
TABLES = inbox_tables(METADATA)
SEEN = Table(
    "seen",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("key", String(200)),
    Column("what", String(200)),
    Column("version", Integer),
)
"""What the handlers under test have done, in order."""


@dataclass
class Story:
    """A consumer over real parts, whose handlers fail where the test says so."""

    database: Database
    bus: EmbeddedBus
    together: bool = False
    """Whether the handler takes many events at once."""
    consumer: Consumer = field(init=False)
    poison: set[tuple[str, int]] = field(default_factory=set)
    missing: dict[tuple[str, int], str] = field(default_factory=dict)
    attempts: Counter[tuple[str, int]] = field(default_factory=Counter)
    sets: list[list[tuple[str, int]]] = field(default_factory=list)
    """The places that were handled together, in order."""

    def __post_init__(self) -> None:
        self.consumer = self.another()

    def another(self) -> Consumer:
        return Consumer(
            self.database,
            TABLES,
            self.bus,
            "readers",
            [PLAN, PEOPLE],
            {PERSON: self._overwrite} | ({} if self.together else {SUSPENDED: self._apply}),
            tombstones={PEOPLE: self._forget},
            together={SUSPENDED: self._apply_all} if self.together else {},
            tries=3,
        )

    def _apply_all(self, conn: Connection, events: Sequence[Event[Any]]) -> None:
        self.sets.append([(event.partitionkey, event.keyversion) for event in events])
        for event in events:
            self._apply(conn, event)

    def _apply(self, conn: Connection, event: Event[Any]) -> None:
        place = (event.partitionkey, event.keyversion)
        self.attempts[place] += 1
        self._note(conn, event.partitionkey, event.data.reason, event.keyversion)
        if place in self.missing:
            raise NotYet(self.missing[place])
        if place in self.poison:
            raise ValueError(f"cannot digest {place}")

    def _overwrite(self, conn: Connection, event: Event[Any]) -> None:
        self._forget(conn, event.partitionkey)
        self._note(conn, event.partitionkey, event.data.name, event.keyversion)

    @staticmethod
    def _forget(conn: Connection, key: str) -> None:
        conn.execute(SEEN.delete().where(SEEN.c.key == key))

    @staticmethod
    def _note(conn: Connection, key: str, what: str, version: int) -> None:
        conn.execute(SEEN.insert(), {"key": key, "what": what, "version": version})

    async def publish(self, *messages: Message) -> None:
        await self.bus.publish(messages)

    async def seen(self, key: str) -> list[int]:
        query = select(SEEN.c.version).where(SEEN.c.key == key).order_by(SEEN.c.id)
        return await self.database.read(lambda conn: list(conn.execute(query).scalars()))

    async def status(self, key: str) -> tuple[int, str | None, str | None]:
        table = TABLES.key
        query = select(table.c.version, table.c.status, table.c.reason).where(table.c.key == key)
        row = await self.database.read(lambda conn: conn.execute(query).one())
        return (row.version, row.status, row.reason)

    async def aside(self, key: str) -> list[int | None]:
        table = TABLES.aside
        query = select(table.c.version).where(table.c.key == key, table.c.resolved_at.is_(None))
        return await self.database.read(
            lambda conn: list(conn.execute(query.order_by(table.c.id)).scalars())
        )


def plain(key: str, *versions: int) -> list[Message]:
    return [message(suspended(key, f"{key} {version}"), version) for version in versions]

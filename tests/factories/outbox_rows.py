"""An outbox with its tables, a bus that fails, and what the tests of writer and relay ask of them."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import MetaData, func, select

from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.bus.port import Bus, Message, Subscription
from dealreg_shared.db import Database
from dealreg_shared.outbox import Outbox, Relay, outbox_tables
from tests.factories.travelling import AT

METADATA = MetaData()
TABLES = outbox_tables(METADATA)
OUTBOX = Outbox(TABLES, "/dealreg/registration", "default")
KEYS = [f"key-{number}" for number in range(7)]
EARLIER = AT - timedelta(days=900)


@dataclass
class UnreliableBus:
    """The real bus, behind a wire that the test may cut before or after the message went through."""

    bus: EmbeddedBus
    before: Callable[[Sequence[Message]], None] = lambda _: None
    after: Callable[[Sequence[Message]], None] = lambda _: None
    batches: list[list[Message]] = field(default_factory=list)

    async def publish(self, messages: Sequence[Message]) -> None:
        self.batches.append(list(messages))
        self.before(messages)
        await self.bus.publish(messages)
        self.after(messages)

    def subscribe(
        self, group: str, topics: Sequence[str]
    ) -> AbstractAsyncContextManager[Subscription]:
        return self.bus.subscribe(group, topics)

    async def healthy(self) -> bool:
        return await self.bus.healthy()

    async def close(self) -> None:
        await self.bus.close()


async def append(database: Database, *items: Any) -> list[int]:
    events = await database.write(lambda conn: OUTBOX.append(conn, items, AT))
    return [event.keyversion for event in events]


async def unsent(database: Database) -> int:
    table = TABLES.outbox
    query = select(func.count()).where(table.c.sent_at.is_(None))
    return await database.read(lambda conn: conn.execute(query).scalar_one())


def relay(database: Database, bus: Bus) -> Relay:
    return Relay(database, TABLES, bus, "test-relay")


async def expire_leases(database: Database) -> None:
    await database.write(lambda conn: conn.execute(TABLES.lease.update().values(until=EARLIER)))

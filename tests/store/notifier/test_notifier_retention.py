"""What is old is forgotten on both databases, by two notifiers at once, however much it is."""

import asyncio
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, select

from dealreg_notifier.retention import BATCH, forget_old
from dealreg_notifier.tables import delivery_attempt
from dealreg_shared.db import Database
from dealreg_shared.db.migrate import migrate

NOW = datetime.now(UTC)
KEEP = timedelta(days=90)


def fill(conn: Connection) -> None:
    ages = [KEEP + timedelta(days=1, seconds=n) for n in range(2 * BATCH + 7)]
    ages += [KEEP - timedelta(days=1), timedelta(0)]
    conn.execute(
        delivery_attempt.insert(),
        [
            {
                "delivery_id": f"dlv_{number}",
                "attempt": 1,
                "endpoint_id": "end_1",
                "at": NOW - age,
                "outcome": "delivered",
                "milliseconds": 1,
                "sent_sha256": "0" * 64,
            }
            for number, age in enumerate(ages)
        ],
    )


async def test_old_attempts_are_forgotten(database_url: str) -> None:
    databases = [Database(database_url), Database(database_url)]
    await migrate(databases[0], "dealreg_notifier")
    await databases[0].write(fill)
    counts = await asyncio.gather(*[forget_old(database, KEEP)() for database in databases])
    assert sum(counts) == 2 * BATCH + 7
    left = await databases[1].read(
        lambda conn: conn.execute(select(delivery_attempt.c.delivery_id)).scalars().all()
    )
    assert sorted(left) == [f"dlv_{2 * BATCH + 7}", f"dlv_{2 * BATCH + 8}"]
    assert await forget_old(databases[0], KEEP)() == 0
    for database in databases:
        await database.dispose()

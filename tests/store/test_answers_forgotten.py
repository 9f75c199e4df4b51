"""Old answers are forgotten on both databases, by two processes at once, a batch per transaction."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, event, select

from dealreg_registration.tables import idempotency as answers
from dealreg_shared.db import Database
from dealreg_shared.db.migrate import migrate
from dealreg_shared.web.idempotency import BATCH, FORGOTTEN, forget_old, row

NOW = datetime.now(UTC)
KEEP = timedelta(days=30)


def fill(conn: Connection) -> None:
    ages = [KEEP + timedelta(days=1, seconds=n) for n in range(2 * BATCH + 7)]
    ages += [KEEP - timedelta(days=1), timedelta(0)]
    rows = [
        row(f"key_{number % 3}", f"k{number}", "0" * 64, 201, b"{}", NOW - age)
        for number, age in enumerate(ages)
    ]
    conn.execute(answers.insert(), rows)


def counted() -> float:
    [metric] = FORGOTTEN.collect()
    return metric.samples[0].value


async def test_old_answers_are_forgotten_batch_by_batch(database_url: str) -> None:
    databases = [Database(database_url), Database(database_url)]
    await migrate(databases[0], "dealreg_registration")
    await databases[0].write(fill)
    deleted: list[int] = []

    def seen(_conn: Any, cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("DELETE FROM idempotency"):
            deleted.append(cursor.rowcount)

    for database in databases:
        await database.write(lambda conn: event.listen(conn.engine, "after_cursor_execute", seen))
    before = counted()
    counts = await asyncio.gather(*[forget_old(database, KEEP)() for database in databases])
    assert sum(counts) == sum(deleted) == 2 * BATCH + 7
    assert max(deleted) <= BATCH
    assert counted() - before == 2 * BATCH + 7
    left = await databases[1].read(lambda conn: conn.execute(select(answers.c.key)).scalars().all())
    assert sorted(left) == [f"k{2 * BATCH + 7}", f"k{2 * BATCH + 8}"]
    assert await forget_old(databases[0], KEEP)() == 0
    for database in databases:
        await database.dispose()

"""The row of the log: what was changed afterwards is found, and many writers make one log."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import Connection

from dealreg_shared.db import Database
from dealreg_shared.db.migrate import make_clock
from tests.factories.log import Log, open_log, tampered, write_rows, written_by_many
from tests.faults.proof import Lab, Outcome, Row

WRITERS = 50


def prove(lab: Lab) -> Outcome:
    """Tamper with a small log, let many write a large one, and verify that."""
    return asyncio.run(_prove(lab))


async def _prove(lab: Lab) -> Outcome:
    times, each, all_rows = lab.count(60, 1_000), lab.count(40, 10_000), lab.count(4_000, 1_000_000)
    async with _log(lab, "tampered") as log:
        for count in (20, 5, 33, 1, 64):
            await _add(log, count)
        found, missed = await tampered(log, times)
    async with _log(lab, "written") as log:
        report, given_up = await written_by_many(log, WRITERS, each, per_commit=lab.count(20, 100))
        lab.say(f"{report.rows} rows written by {WRITERS} are sealed")
        written, faults = report.rows, report.findings
        for start in range(written, all_rows, 20_000):
            await _add(log, min(20_000, all_rows - start))
        began = time.monotonic()
        last = await log.check(await log.roots())
        seconds = time.monotonic() - began
    return Outcome(
        f"{times} random edits, deletions, swaps; {WRITERS} writers x {each} rows and 2 sealers at "
        f"once, {given_up} rows given up on the way; {last.rows} rows verified",
        f"{found} found; {written} rows in one log, {len(faults + last.findings)} findings; verified in "
        f"{seconds:.1f} s" + "".join(f"; missed: {it}" for it in missed[:3]),
        kept=found == times
        and written == WRITERS * each
        and last.rows == all_rows
        and not faults + last.findings,
    )


@asynccontextmanager
async def _log(lab: Lab, name: str) -> AsyncIterator[Log]:
    folder = lab.folder / name
    folder.mkdir()
    url = f"sqlite:///{folder}/log.db"
    if lab.where == "servers":
        assert lab.postgres is not None
        url = lab.postgres.create_database(f"log_{name}", f"log_{name}")
    database = Database(url, by_index=True, pool_size=20)
    try:
        if lab.where == "servers":
            await database.write(make_clock)
        yield await open_log(database, folder)
    finally:
        await database.dispose()
        if lab.where == "servers" and lab.postgres is not None:
            lab.postgres.drop_database(f"log_{name}", f"log_{name}")


async def _add(log: Log, count: int) -> None:
    def work(conn: Connection) -> None:
        write_rows(conn, count)

    await log.database.write(work)
    await log.sealer.seal()


ROW = Row(
    "log",
    "the log shows whatever was changed afterwards; many writers make one log",
    "all found; it verifies; 1,000,000 rows in 60 s (printed)",
    prove,
)

"""The log over the audit: sealing and verifying many rows, beside the bare hashing of as many.

The ceiling hashes what the check must hash (two halves, a leaf and its share of the tree per row) with
nothing read from anywhere. What is above it is the database, and the rows made into bytes.
"""

import tempfile
import time
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert

from benchmarks.report import Row
from dealreg_devstack import Postgres
from dealreg_registration import tables
from dealreg_registration.app import SOURCE
from dealreg_registration.handlers.seal_log import LogSealer
from dealreg_registration.log_check import Report, check_log
from dealreg_registration.root_file import read_roots
from dealreg_registration.signing_keys import SigningKeys
from dealreg_shared.db import Database, app_now
from dealreg_shared.db.bulk import insert_rows
from dealreg_shared.db.migrate import make_clock
from dealreg_shared.outbox import Outbox

AT_ONCE = 20_000
PROGRAMME = "benchmark"


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds."""

    seal: float
    verify: float
    report: Report


def ceiling(count: int) -> float:
    """Seconds for the hashes of ``count`` rows alone."""
    row, half, pair = bytes(420), bytes(90), bytes(65)
    began = time.perf_counter()
    for _ in range(count):
        sha256(row).digest()
        sha256(half).digest()
        sha256(pair).digest()
        sha256(pair).digest()
    return time.perf_counter() - began


async def run(count: int, server: Postgres) -> list[Row]:
    """One round on each database."""
    bare = ceiling(count)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        for title, url in (
            ("SQLite", f"sqlite:///{name}/log.db"),
            ("PostgreSQL", server.create_database("log_bench", "log_bench")),
        ):
            found = await _measure(url, Path(name) / title, count)
            verdict = "verifies" if not found.report.findings else found.report.findings[0]
            rows.append(
                {
                    "database": title,
                    "rows": f"{found.report.rows:,}",
                    "verified in": f"{found.verify:.1f} s",
                    "of which bare hashing": f"{bare:.1f} s",
                    "ratio": f"{found.verify / bare:.1f}",
                    "sealed at": f"{count / found.seal:,.0f} rows/s",
                    "the log": verdict,
                }
            )
        server.drop_database("log_bench", "log_bench")
    return rows


async def _measure(url: str, folder: Path, count: int) -> Measured:
    database = Database(url, by_index=True)
    try:
        if database.dialect == "postgresql":
            await database.write(make_clock)
        await database.write(_make)
        keys = SigningKeys()
        await keys.ensure(database)
        file = folder / "log-roots.jsonl"
        outbox = Outbox(tables.outbox, SOURCE, PROGRAMME)
        sealer = LogSealer(database, outbox, keys, programme=PROGRAMME, roots_file=file)
        seal = 0.0
        for start in range(0, count, AT_ONCE):
            await database.write(partial(_fill, start=start, count=count))
            began = time.perf_counter()
            await sealer.seal()
            seal += time.perf_counter() - began
        began = time.perf_counter()
        report = await database.read(lambda conn: check_log(conn, PROGRAMME, read_roots(file)))
        return Measured(seal, time.perf_counter() - began, report)
    finally:
        await database.dispose()


def _make(conn: Connection) -> None:
    tables.metadata.create_all(conn)
    conn.execute(insert(tables.log_state).values(id=1, size=0, last_audit_id=0))


def _fill(conn: Connection, start: int, count: int) -> None:
    """Rows as the journal writes them for a filing."""
    now = app_now(conn)
    rows: list[dict[str, Any]] = [
        {
            "at": now,
            "recorded_at": None,
            "counts_from": None,
            "actor": "partner:acme",
            "action": "claim.protected",
            "subject": f"reg_{number:032x}",
            "detail": {
                "claim": f"clm_{number:032x}",
                "line": "platform",
                "place": number % 7,
                "from": None,
                "to": "protected",
                "cause": "filed",
                "reasons": ["Nobody holds this product line here: you are protected for 90 days."],
                "conflict": None,
                "plan": 1,
                "until": "2026-05-31T09:00:00.000000Z",
            },
        }
        for number in range(start, min(start + AT_ONCE, count))
    ]
    insert_rows(conn, [(tables.audit, rows)])

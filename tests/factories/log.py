"""The log under trial: writers that fill the audit, several sealers on purpose, hands that tamper."""

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, select, update

from dealreg_registration import tables
from dealreg_registration.app import SOURCE
from dealreg_registration.handlers.seal_log import LogSealer
from dealreg_registration.log_check import Report, check_log
from dealreg_registration.log_store import root_of
from dealreg_registration.sealing import AT_ONCE
from dealreg_registration.signing_keys import SigningKeys
from dealreg_shared.db import Database, app_now
from dealreg_shared.db.bulk import insert_rows
from dealreg_shared.outbox import Outbox
from dealreg_shared.receipts import Root

PROGRAMME = "trial"


class Cancelled(Exception):
    """A transaction is given up on purpose, with its numbers."""


@dataclass(slots=True)
class Log:
    """A log in the test's hand, with its sealer."""

    database: Database
    keys: SigningKeys
    roots_file: Path
    sealer: LogSealer = field(init=False)

    def __post_init__(self) -> None:
        self.sealer = self.another_sealer()

    async def check(self, kept: Sequence[Root] = ()) -> Report:
        return await self.database.read(lambda conn: check_log(conn, PROGRAMME, kept))

    async def roots(self) -> list[Root]:
        return await self.database.read(all_roots)

    def another_sealer(self, database: Database | None = None) -> LogSealer:
        """As another process has one."""
        outbox = Outbox(tables.outbox, SOURCE, PROGRAMME)
        return LogSealer(
            database or self.database,
            outbox,
            self.keys,
            programme=PROGRAMME,
            roots_file=self.roots_file,
        )


async def open_log(database: Database, folder: Path) -> Log:
    """An empty log on an empty database with its clock."""

    def make(conn: Connection) -> None:
        tables.metadata.create_all(conn)
        conn.execute(insert(tables.log_state).values(id=1, size=0, last_audit_id=0))

    await database.write(make)
    keys = SigningKeys()
    await keys.ensure(database)
    return Log(database, keys, folder / "log-roots.jsonl")


def all_roots(conn: Connection) -> list[Root]:
    rows = conn.execute(select(tables.log_root).order_by(tables.log_root.c.size))
    return [root_of(row, PROGRAMME) for row in rows]


def audit_rows(count: int, at: Any, writer: int = 0) -> list[dict[str, Any]]:
    """Rows as the journal makes them: of a claim's first step."""
    return [
        {
            "at": at - timedelta(seconds=number % 3),
            "recorded_at": at if number % 3 else None,
            "counts_from": None,
            "actor": f"partner:p{writer}",
            "action": "claim.protected",
            "subject": f"reg_{writer:04}_{number:08}",
            "detail": {
                "claim": f"clm_{writer:04}_{number:08}",
                "line": "platform",
                "place": number,
                "from": None,
                "to": "protected",
                "cause": "filed",
                "reasons": ["Überall »erste«."],
                "conflict": None,
                "plan": 1,
            },
        }
        for number in range(count)
    ]


def write_rows(conn: Connection, count: int, writer: int = 0) -> None:
    insert_rows(conn, [(tables.audit, audit_rows(count, app_now(conn), writer))])


async def written_by_many(
    log: Log, writers: int, rows: int, sealers: int = 2, per_commit: int = 20
) -> tuple[Report, int]:
    """``writers`` at once commit ``rows`` rows each and sometimes give some up, while ``sealers`` seal
    at the same time on purpose. The report on the log then, and how many rows were given up."""
    given_up = 0
    done = False

    async def write(writer: int) -> None:
        nonlocal given_up
        left = rows
        while left:
            count = min(left, per_commit)

            def work(conn: Connection, count: int = count) -> None:
                write_rows(conn, count, writer)

            def abandon(conn: Connection) -> None:
                write_rows(conn, 3, writer)
                raise Cancelled

            if (left // per_commit) % 7 == writer % 7:
                try:
                    await log.database.write(abandon)
                except Cancelled:
                    given_up += 3
            await log.database.write(work)
            left -= count

    async def seal(sealer: LogSealer) -> None:
        while not done:
            await sealer.seal()
            await asyncio.sleep(0.01)

    sealing = [asyncio.create_task(seal(log.another_sealer())) for _ in range(sealers)]
    await asyncio.gather(*(write(writer) for writer in range(writers)))
    done = True
    await asyncio.gather(*sealing)
    while await log.sealer.seal():
        pass
    return await log.check(await log.roots()), given_up


Tamper = Callable[[Connection, random.Random], str]
"""Changes something; says what."""


def _some(conn: Connection, table: Table, rng: random.Random) -> Any:
    key = table.c[{"audit": "id", "log_entry": "position", "log_root": "size"}[table.name]]
    if table is tables.audit:
        sealed = select(tables.log_entry.c.audit_id).where(tables.log_entry.c.audit_id.is_not(None))
        query = select(table).where(key.in_(sealed))
    else:
        query = select(table)
    count = conn.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    return conn.execute(query.order_by(key).offset(rng.randrange(count)).limit(1)).one()


def edit_row(conn: Connection, rng: random.Random) -> str:
    row = _some(conn, tables.audit, rng)
    later = timedelta(microseconds=rng.choice([-1, 1, 10**6]))
    detail = dict(row.detail)
    name = rng.choice(sorted(detail))
    changes: dict[str, Any] = rng.choice(
        [
            {"at": row.at + later},
            {"actor": row.actor + "x"},
            {"actor": row.actor[:-1]},
            {"action": "claim.contested"},
            {"subject": row.subject[:-1] + "x"},
            {"recorded_at": (row.recorded_at or row.at) + later},
            {"counts_from": row.at + later},
            {"detail": detail | {name: "changed"}},
            {"detail": {key: value for key, value in detail.items() if key != name}},
            {"detail": detail | {"place": detail.get("place", 0) + 1}},
        ]
    )
    conn.execute(update(tables.audit).where(tables.audit.c.id == row.id).values(changes))
    return f"audit row {row.id}: {changes}"


def delete_row(conn: Connection, rng: random.Random) -> str:
    row = _some(conn, tables.audit, rng)
    conn.execute(delete(tables.audit).where(tables.audit.c.id == row.id))
    return f"audit row {row.id} deleted"


def hide_row(conn: Connection, rng: random.Random) -> str:
    """Delete a row and say that its entry had always been empty."""
    row = _some(conn, tables.audit, rng)
    conn.execute(delete(tables.audit).where(tables.audit.c.id == row.id))
    mine = tables.log_entry.c.audit_id == row.id
    conn.execute(update(tables.log_entry).where(mine).values(audit_id=None))
    return f"audit row {row.id} hidden"


def swap_rows(conn: Connection, rng: random.Random) -> str:
    one, other = _some(conn, tables.audit, rng), _some(conn, tables.audit, rng)
    while other.id == one.id:
        other = _some(conn, tables.audit, rng)
    for id_, row in ((one.id, other), (other.id, one)):
        values = {name: value for name, value in row._mapping.items() if name != "id"}
        conn.execute(update(tables.audit).where(tables.audit.c.id == id_).values(values))
    return f"audit rows {one.id} and {other.id} swapped"


def swap_entries(conn: Connection, rng: random.Random) -> str:
    """Two entries change places, each with everything that is its own."""
    one, other = _some(conn, tables.log_entry, rng), _some(conn, tables.log_entry, rng)
    while other.position == one.position:
        other = _some(conn, tables.log_entry, rng)
    entries = tables.log_entry
    both = entries.c.position.in_((one.position, other.position))
    conn.execute(delete(entries).where(both))
    conn.execute(
        insert(entries),
        [
            {
                "position": place.position,
                "audit_id": entry.audit_id,
                "salt": entry.salt,
                "leaf": entry.leaf,
            }
            for place, entry in ((one, other), (other, one))
        ],
    )
    return f"entries {one.position} and {other.position} swapped"


def edit_entry(conn: Connection, rng: random.Random) -> str:
    row = _some(conn, tables.log_entry, rng)
    name = rng.choice(["salt", "leaf"])
    value = bytearray(getattr(row, name))
    value[rng.randrange(len(value))] ^= 1 << rng.randrange(8)
    mine = tables.log_entry.c.position == row.position
    conn.execute(update(tables.log_entry).where(mine).values({name: bytes(value)}))
    return f"entry {row.position}: {name}"


def delete_entry(conn: Connection, rng: random.Random) -> str:
    row = _some(conn, tables.log_entry, rng)
    conn.execute(delete(tables.log_entry).where(tables.log_entry.c.position == row.position))
    return f"entry {row.position} deleted"


def edit_root(conn: Connection, rng: random.Random) -> str:
    row = _some(conn, tables.log_root, rng)
    value = bytearray(row.root)
    value[rng.randrange(len(value))] ^= 1 << rng.randrange(8)
    changes: dict[str, Any] = rng.choice(
        [{"root": bytes(value)}, {"sealed_at": row.sealed_at - timedelta(seconds=1)}]
    )
    mine = tables.log_root.c.size == row.size
    conn.execute(update(tables.log_root).where(mine).values(changes))
    return f"root {row.size}: {sorted(changes)}"


def edit_node(conn: Connection, rng: random.Random) -> str:
    rows = conn.execute(select(tables.log_node)).all()
    level, index, hash_ = rng.choice(rows)
    at = (tables.log_node.c.level == level) & (tables.log_node.c.index == index)
    if rng.random() < 0.5:
        conn.execute(delete(tables.log_node).where(at))
        return f"subtree {level}/{index} deleted"
    conn.execute(update(tables.log_node).where(at).values(hash=hash_[::-1]))
    return f"subtree {level}/{index} changed"


def cut_the_end_off(conn: Connection, rng: random.Random) -> str:
    """Everything after some root goes, audit rows too, and the counters fit: found from outside."""
    sizes = list(conn.execute(select(tables.log_root.c.size).order_by("size")).scalars())
    size = rng.choice(sizes[:-1])
    entries, nodes, roots = tables.log_entry, tables.log_node, tables.log_root
    gone = select(entries.c.audit_id).where(
        entries.c.position >= size, entries.c.audit_id.is_not(None)
    )
    conn.execute(delete(tables.audit).where(tables.audit.c.id.in_(gone)))
    conn.execute(delete(entries).where(entries.c.position >= size))
    conn.execute(delete(roots).where(roots.c.size > size))
    for level, index in conn.execute(select(nodes.c.level, nodes.c.index)).all():
        if (index + 1) << level > size:
            conn.execute(delete(nodes).where(nodes.c.level == level, nodes.c.index == index))
    last = conn.execute(select(func.max(entries.c.audit_id))).scalar_one()
    conn.execute(update(tables.log_state).values(size=size, last_audit_id=last))
    return f"cut off after {size}"


TAMPERS: Sequence[Tamper] = (
    edit_row,
    edit_row,
    delete_row,
    hide_row,
    swap_rows,
    swap_entries,
    edit_entry,
    delete_entry,
    edit_root,
    edit_node,
    cut_the_end_off,
)


class _Undone(Exception):
    def __init__(self, what: str, report: Report) -> None:
        self.what = what
        self.report = report


async def tampered(log: Log, count: int, seed: int = 0) -> tuple[int, list[str]]:
    """Tamper ``count`` times at random, each time with the same log, and check. How many were found,
    and what was not. The kept roots are those of the file."""
    rng = random.Random(seed)  # noqa: S311  (a trial that can be repeated)
    kept = await log.roots()
    found, missed = 0, []
    for _ in range(count):
        tamper = rng.choice(TAMPERS)

        def work(conn: Connection, tamper: Tamper = tamper) -> None:
            what = tamper(conn, rng)
            raise _Undone(what, check_log(conn, PROGRAMME, kept))

        try:
            await log.database.write(work)
        except _Undone as undone:
            if undone.report.findings:
                found += 1
            else:
                missed.append(undone.what)
    return found, missed


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


__all__ = ["AT_ONCE", "Log", "open_log", "tampered", "write_rows", "written_by_many"]

"""Whether the log still says what it said: every entry against its audit row, every root against all.

Reads the whole log once, in order. What was changed in the database is found there; that somebody made
the whole log anew is found by roots that were kept elsewhere (the file of roots, the topic, a partner).
Must not write, and must not mend: what is wrong is for a person to judge.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from dealreg_registration.domain import merkle
from dealreg_registration.domain.log_entry import BLOCK, BLOCK_LEVEL, filler, leaf_of
from dealreg_registration.log_store import AUDIT, entry_of, nodes, root_of
from dealreg_registration.sealing import GAP_PATIENCE
from dealreg_registration.tables_log import (
    log_entry,
    log_key,
    log_node,
    log_root,
    log_state,
)
from dealreg_registration.tables_programme import audit
from dealreg_shared.db import app_now
from dealreg_shared.links import bytes_of
from dealreg_shared.receipts import Root

CHUNK = 4096
"""Entries read at once, a whole number of blocks."""

MOST = 100
"""Findings that are named; one is enough to know."""


@dataclass(slots=True)
class Report:
    """What was read, and what does not fit. Empty ``findings``: the log verifies."""

    entries: int = 0
    rows: int = 0
    roots: int = 0
    kept_roots: int = 0
    waiting: int = 0
    next_position: int = 0
    findings: list[str] = field(default_factory=list)

    def add(self, sentence: str) -> None:
        if len(self.findings) < MOST:
            self.findings.append(sentence)


def check_log(conn: Connection, programme: str, kept: Iterable[Root] = ()) -> Report:
    """Check all of it; ``kept`` are roots that were kept outside the database."""
    report = Report()
    known: dict[int, Root] = {}
    for root in kept:
        report.kept_roots += 1
        before = known.setdefault(root.size, root)
        if before.root != root.root:
            report.add(f"Two roots of size {root.size} were published, and they differ.")
    roots = _Roots(conn, programme, known, report)
    tree = merkle.Growing()
    roots.meet(tree)
    for chunk in _chunks(conn):
        _check_chunk(conn, chunk, tree, roots, report)
    roots.finish(tree)
    _check_ends(conn, tree, report)
    return report


def _chunks(conn: Connection) -> Iterator[list[Row[Any]]]:
    columns = (log_entry.c.position, log_entry.c.audit_id, log_entry.c.salt, log_entry.c.leaf)
    joined = log_entry.outerjoin(audit, audit.c.id == log_entry.c.audit_id)
    query = select(*columns, *AUDIT).select_from(joined).order_by(log_entry.c.position)
    after = -1
    while True:
        rows = list(conn.execute(query.where(log_entry.c.position > after).limit(CHUNK)))
        if rows:
            yield rows
        if len(rows) < CHUNK:
            return
        after = rows[-1].position


def _check_chunk(
    conn: Connection, rows: list[Row[Any]], tree: merkle.Growing, roots: "_Roots", report: Report
) -> None:
    made: dict[tuple[int, int], bytes] = {}
    for start in range(0, len(rows), BLOCK):
        stored = [_check_entry(row, report) for row in rows[start : start + BLOCK]]
        for node in tree.extend(stored, BLOCK_LEVEL):
            made[node.level, node.index] = node.hash
        roots.meet(tree)
    _check_nodes(conn, made, report)


def _check_entry(row: Row[Any], report: Report) -> bytes:
    """Compare an entry with its audit row; its leaf as it is stored."""
    position, audit_id, salt, leaf, id_ = row[:5]
    if position != report.next_position:
        report.add(f"Entries {report.next_position} to {position - 1} are missing.")
    report.next_position = position + 1
    report.entries += 1
    stored = bytes(leaf)
    if audit_id is None:
        if filler(position, bytes(salt)) != stored:
            report.add(f"Entry {position}: it stands for nothing, and something was sealed there.")
    elif id_ is None:
        report.add(f"Entry {position}: audit row {audit_id} is missing.")
    else:
        report.rows += 1
        if leaf_of(position, entry_of(row), bytes(salt)) != stored:
            report.add(f"Entry {position}: audit row {audit_id} is not what was sealed.")
    return stored


def _check_nodes(conn: Connection, made: dict[tuple[int, int], bytes], report: Report) -> None:
    try:
        stored = nodes(conn, made)
    except KeyError as missing:
        level, index = missing.args[0]
        report.add(f"The stored hash of subtree {index} on level {level} is missing.")
        return
    for (level, index), hash_ in made.items():
        if stored[level, index] != hash_:
            report.add(
                f"The stored hash of subtree {index} on level {level} is not that of its part."
            )


class _Roots:
    """The published roots, met in the order of their sizes while the tree grows."""

    def __init__(
        self, conn: Connection, programme: str, kept: dict[int, Root], report: Report
    ) -> None:
        self._kept = kept
        self._report = report
        keys = conn.execute(select(log_key.c.key_id, log_key.c.public_key))
        self._keys = {row.key_id: bytes_of(row.public_key) for row in keys}
        self._coming = self._read(conn, programme)
        self._next = next(self._coming, None)
        self._last = ""

    @staticmethod
    def _read(conn: Connection, programme: str) -> Iterator[Root]:
        after = -1
        while True:
            query = select(log_root).where(log_root.c.size > after).order_by(log_root.c.size)
            rows = conn.execute(query.limit(CHUNK)).all()
            for row in rows:
                yield root_of(row, programme)
            if len(rows) < CHUNK:
                return
            after = rows[-1].size

    def meet(self, tree: merkle.Growing) -> None:
        """Check every root that the tree has reached by now."""
        while self._next is not None and self._next.size <= tree.size:
            root, self._next = self._next, next(self._coming, None)
            self._check(root, tree)
        kept = self._kept.pop(tree.size, None) if self._kept else None
        if kept is not None and kept.root != tree.root():
            self._report.add(
                f"The root of size {tree.size}, published at {kept.sealed_at}, is not that of this log."
            )

    def _check(self, root: Root, tree: merkle.Growing) -> None:
        self._report.roots += 1
        public = self._keys.get(root.key_id)
        if public is None or not root.is_signed(public):
            self._report.add(f"The root of size {root.size} is not signed by its key.")
        if root.size != tree.size or root.root != tree.root():
            self._report.add(f"The root of size {root.size} is not that of the entries.")
        if root.sealed_at < self._last:
            self._report.add(f"The root of size {root.size} is older than the one before it.")
        self._last = root.sealed_at

    def finish(self, tree: merkle.Growing) -> None:
        """What is left when all entries were read."""
        while self._next is not None:
            self._report.roots += 1
            self._report.add(
                f"The root of size {self._next.size} speaks of entries that are not there."
            )
            self._next = next(self._coming, None)
        for size in sorted(self._kept):
            at = self._kept[size].sealed_at
            self._report.add(
                f"The root of size {size}, published at {at}, is not that of this log, which has "
                f"{tree.size} entries."
            )


def _check_ends(conn: Connection, tree: merkle.Growing, report: Report) -> None:
    """The counters, surplus hashes, and rows that were never sealed."""
    state = conn.execute(select(log_state.c.size, log_state.c.last_audit_id)).first()
    newest = conn.execute(select(func.max(log_root.c.size))).scalar_one() or 0
    if state is None or not state.size == newest == tree.size:
        size = "nothing" if state is None else state.size
        report.add(
            f"The log has {tree.size} entries, its last root {newest}, and it counts {size}."
        )
    last = 0 if state is None else state.last_audit_id
    highest = conn.execute(select(func.max(log_entry.c.audit_id))).scalar_one() or 0
    if highest != last:
        report.add(f"The last audit row sealed is {highest}, but {last} is on record.")
    surplus = conn.execute(select(func.count()).select_from(log_node)).scalar_one() - sum(
        tree.size >> level for level in range(BLOCK_LEVEL, tree.size.bit_length())
    )
    if surplus:
        report.add(f"There are {surplus:+d} stored hashes of subtrees against the log's size.")
    sealed = select(log_entry.c.audit_id).where(log_entry.c.audit_id == audit.c.id).exists()
    query = select(audit.c.id, audit.c.at, audit.c.recorded_at).where(~sealed)
    overdue = app_now(conn) - GAP_PATIENCE
    for row in conn.execute(query.order_by(audit.c.id)):
        report.waiting += 1
        written: datetime = row.recorded_at or row.at
        if row.id <= last and written < overdue:
            report.add(f"Audit row {row.id} was never sealed, though later ones were.")

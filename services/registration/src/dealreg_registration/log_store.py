"""The log's rows: entries, stored subtrees, signed roots. Works on the caller's connection.

Must not decide what is shown to whom, and must not commit.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, Text, select, tuple_, type_coerce

from dealreg_registration.domain import merkle
from dealreg_registration.domain.log_entry import BLOCK, BLOCK_LEVEL, Entry
from dealreg_registration.tables_log import log_entry, log_node, log_root
from dealreg_registration.tables_programme import audit
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.receipts import Root

AUDIT = (
    audit.c.id,
    audit.c.at,
    audit.c.action,
    audit.c.subject,
    audit.c.actor,
    type_coerce(audit.c.detail, Text).label("detail"),
    audit.c.recorded_at,
    audit.c.counts_from,
)
"""The columns that an entry stands for; ``detail`` as the very text that is stored."""


def entry_of(row: Row[Any]) -> Entry:
    """An audit row, selected with ``AUDIT``, as the log sees it."""
    id_, at, action, subject, actor, detail, recorded_at, counts_from = row[-len(AUDIT) :]
    return Entry(
        audit_id=id_,
        at=format_instant(at),
        action=action,
        subject=subject,
        actor=actor,
        detail=detail,
        recorded_at=None if recorded_at is None else format_instant(recorded_at),
        counts_from=None if counts_from is None else format_instant(counts_from),
    )


def nodes(conn: Connection, wanted: Collection[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    """The hashes of complete subtrees, as (level, index): stored ones from a block upwards, the smaller
    ones made from the entries of their block."""
    stored = [each for each in wanted if each[0] >= BLOCK_LEVEL]
    small = [each for each in wanted if each[0] < BLOCK_LEVEL]
    found: dict[tuple[int, int], bytes] = {}
    if stored:
        where = tuple_(log_node.c.level, log_node.c.index).in_(sorted(stored))
        for level, index, hash_ in conn.execute(select(log_node).where(where)):
            found[level, index] = bytes(hash_)
    for block in sorted({(index << level) // BLOCK for level, index in small}):
        tree = merkle.Growing()
        # The tree of a block, as if the log began with it; then its nodes at their true index.
        for leaf in leaves(conn, block * BLOCK, (block + 1) * BLOCK):
            for node in tree.add(leaf):
                true = node.index + (block << (BLOCK_LEVEL - node.level))
                found[node.level, true] = node.hash
    return {each: found[each] for each in wanted}


def leaves(conn: Connection, begin: int, end: int) -> list[bytes]:
    """The leaves of a range of positions, in order."""
    found = conn.execute(
        select(log_entry.c.leaf)
        .where(log_entry.c.position >= begin, log_entry.c.position < end)
        .order_by(log_entry.c.position)
    ).scalars()
    return [bytes(leaf) for leaf in found]


def proof(conn: Connection, ranges: Iterable[merkle.Range]) -> list[bytes]:
    """The roots of ranges of the log, in a few reads."""
    listed = [(each, merkle.subtrees(*each)) for each in ranges]
    found = nodes(conn, {node for _, parts in listed for node in parts})

    def hash_of(level: int, index: int) -> bytes:
        return found[level, index]

    return [merkle.range_hash(*each, hash_of) for each, _ in listed]


def edge(conn: Connection, size: int) -> merkle.Growing:
    """The tree of ``size`` entries, ready to grow."""
    parts = merkle.subtrees(0, size)
    found = nodes(conn, parts)
    return merkle.Growing(size, [merkle.Node(*part, found[part]) for part in parts])


def newest_root(conn: Connection, log: str) -> Root | None:
    """The root that was sealed last."""
    return _root(conn, log, select(log_root).order_by(log_root.c.size.desc()))


def root_at(conn: Connection, log: str, size: int) -> Root | None:
    """The root of exactly ``size`` entries, if there was one."""
    return _root(conn, log, select(log_root).where(log_root.c.size == size))


def root_before(conn: Connection, log: str, instant: datetime) -> Root | None:
    """The last root that stood before ``instant``."""
    earlier = select(log_root).where(log_root.c.sealed_at < instant)
    return _root(conn, log, earlier.order_by(log_root.c.sealed_at.desc(), log_root.c.size.desc()))


def _root(conn: Connection, log: str, query: Select[Any]) -> Root | None:
    row = conn.execute(query.limit(1)).first()
    return None if row is None else root_of(row, log)


def root_of(row: Row[Any], log: str) -> Root:
    """A row of ``log_root`` as it is published."""
    return Root(
        log=log,
        size=row.size,
        root=bytes(row.root),
        sealed_at=format_instant(row.sealed_at),
        key_id=row.key_id,
        signature=bytes(row.signature),
    )

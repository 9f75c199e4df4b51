"""The sealer: audit rows that are committed become entries of the log, in blocks, under a signed root.

One at a time: whoever holds the row of ``log_state``. The deciding transactions know nothing of it and
never wait for it. Rows are taken by number, but numbers are given before a commit: those that were
passed over are remembered and looked for again, so none is missed; and rows of one account come in the
order of their commits, because its lock stands between their numbers and one statement sees them all.

What was sealed before a crash stays; what was not is sealed next. Must not publish: the relay does.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, union_all, update

from dealreg_registration.domain import merkle
from dealreg_registration.domain.log_entry import (
    BLOCK,
    BLOCK_LEVEL,
    SALT,
    filler,
    leaf_of,
)
from dealreg_registration.log_store import AUDIT, edge, entry_of
from dealreg_registration.tables_log import log_entry, log_gap, log_node, log_root, log_state
from dealreg_registration.tables_programme import audit
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.contracts.log import LogSealed
from dealreg_shared.db import app_now
from dealreg_shared.db.bulk import insert_rows
from dealreg_shared.ids import new_id
from dealreg_shared.links import text_of
from dealreg_shared.outbox import Outbox, Outgoing
from dealreg_shared.receipts import Root, Signer, signed_root

SEALED = "dealreg.log.sealed.v1"

AT_ONCE = 1008
"""Audit rows in one transaction, a whole number of blocks: it must not keep others waiting."""

GAP_PATIENCE = timedelta(hours=1)
"""How long a number that was passed over is looked for. The database ends transactions that stand still
after seconds, so none lives so long."""

GAP_LIMIT = 10_000
"""Numbers that one seal remembers at most. A longer jump was no transaction: the database moved on."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What one seal did: how many audit rows, and the root they stand under."""

    rows: int
    root: Root


def seal(
    conn: Connection, signer: Signer, outbox: Outbox, programme: str, at_once: int = AT_ONCE
) -> Sealed | None:
    """Seal what waits, at most ``at_once`` rows. None: nothing waits, or somebody else is at it."""
    state = conn.execute(
        select(log_state.c.size, log_state.c.last_audit_id).with_for_update(skip_locked=True)
    ).first()
    if state is None or not (rows := _waiting(conn, state.last_audit_id, at_once)):
        return None
    now = app_now(conn)  # after the rows were read: all of them were there before it
    tree = edge(conn, state.size)
    entries, nodes = _grow(tree, rows)
    root = signed_root(programme, tree.size, tree.root(), format_instant(now), signer)
    insert_rows(
        conn,
        [
            (log_entry, entries),
            (log_node, nodes),
            (
                log_root,
                [
                    {
                        "size": root.size,
                        "root": root.root,
                        "sealed_at": now,
                        "key_id": root.key_id,
                        "signature": root.signature,
                    }
                ],
            ),
        ],
    )
    ids = [row.id for row in rows]
    _remember_gaps(conn, state.last_audit_id, ids, now)
    conn.execute(
        update(log_state).values(size=tree.size, last_audit_id=max(state.last_audit_id, ids[-1]))
    )
    outbox.append(conn, [_event(root, programme, now)], now)
    return Sealed(len(rows), root)


def _waiting(conn: Connection, last: int, at_once: int) -> Sequence[Row[Any]]:
    """Committed rows that are not in the log, in the order of their numbers. One statement, and so one
    view: were the gaps looked at first, a row could come before one that its account wrote earlier."""
    newer = select(audit.c.id).where(audit.c.id > last).order_by(audit.c.id).limit(at_once)
    wanted = union_all(select(log_gap.c.audit_id), select(newer.subquery().c.id))
    query = select(*AUDIT).where(audit.c.id.in_(wanted)).order_by(audit.c.id)
    return conn.execute(query).all()


def _grow(
    tree: merkle.Growing, rows: Sequence[Row[Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Add the rows and what fills their last block up; the new rows of entries and of subtrees."""
    count = -(-len(rows) // BLOCK) * BLOCK
    noise = os.urandom(count * SALT)
    entries: list[dict[str, Any]] = []
    leaves: list[bytes] = []
    for number in range(count):
        position, salt = tree.size + number, noise[number * SALT : (number + 1) * SALT]
        row = rows[number] if number < len(rows) else None
        leaf = filler(position, salt) if row is None else leaf_of(position, entry_of(row), salt)
        leaves.append(leaf)
        entries.append(
            {
                "position": position,
                "audit_id": None if row is None else row.id,
                "salt": salt,
                "leaf": leaf,
            }
        )
    nodes = [
        {"level": node.level, "index": node.index, "hash": node.hash}
        for node in tree.extend(leaves, BLOCK_LEVEL)
    ]
    return entries, nodes


def _remember_gaps(conn: Connection, last: int, ids: Sequence[int], now: datetime) -> None:
    if late := [id_ for id_ in ids if id_ <= last]:
        conn.execute(delete(log_gap).where(log_gap.c.audit_id.in_(late)))
    conn.execute(delete(log_gap).where(log_gap.c.since < now - GAP_PATIENCE))
    newer = set(ids[len(late) :])
    first = max(last + 1, ids[-1] - GAP_LIMIT)
    missing = [id_ for id_ in range(first, ids[-1]) if id_ not in newer]
    if missing:
        conn.execute(insert(log_gap), [{"audit_id": id_, "since": now} for id_ in missing])


def _event(root: Root, programme: str, now: datetime) -> Outgoing:
    return Outgoing(
        type=SEALED,
        key=programme,
        subject=str(root.size),
        data=LogSealed(
            size=root.size,
            root=root.root.hex(),
            sealed_at=now,
            key_id=root.key_id,
            ed25519=text_of(root.signature),
        ),
        correlation_id=new_id("cor"),
    )

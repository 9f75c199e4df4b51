"""Which rulings are like a case, and what they suggest. Staff only; must not write.

A ruling that an appeal has changed is no precedent any more; the appeal's own ruling is one for appeals.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, exists, select

from dealreg_registration import store
from dealreg_registration.domain.precedents import (
    SHOWN,
    Likeness,
    Precedent,
    features_of,
    most_alike,
    suggestion,
)
from dealreg_registration.programme import Programme
from dealreg_registration.tables_accounts import account, conflict, ruling
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.db.among import among

LATEST = 1000
"""Rulings of the same kind that are looked at, the latest: practice changes."""


def precedents_of(conn: Connection, programme: Programme, conflict_id: str) -> list[Likeness]:
    """The precedents most like a case, the most alike first; none for a case that does not exist."""
    row = conn.execute(select(conflict).where(conflict.c.id == conflict_id)).one_or_none()
    if row is None:
        return []
    book, _ = programme.current(conn)
    accounts = conn.execute(select(account).where(account.c.id == row.account_id)).all()
    loaded = store.read_accounts(conn, accounts, case_ids={conflict_id}, whole={row.account_id})[
        row.account_id
    ].account
    features = features_of(loaded, loaded.cases[conflict_id], book)
    others = [it for it in _precedents(conn, row.kind) if it.case_id != conflict_id]
    return most_alike(features, others)[:SHOWN]


def precedents_view(ranked: Sequence[Likeness]) -> dict[str, Any]:
    """``precedents`` and ``suggested`` of a case."""
    found = suggestion(ranked)
    return {
        "precedents": [
            {
                "conflict_id": it.precedent.case_id,
                "ruling": it.precedent.outcome,
                "level": it.precedent.level,
                "decided_at": format_instant(it.precedent.decided_at),
                "likeness": round(it.share, 2),
                "explained": it.in_words(),
            }
            for it in ranked
        ],
        "suggested": None
        if found is None
        else {"ruling": found.outcome, "precedents": list(found.case_ids)},
    }


def precedents_for(
    conn: Connection, conflict_ids: Collection[str]
) -> Mapping[str, Sequence[Precedent]]:
    """By kind, for the kinds of these cases: what a ruling is compared with as it is made, in its own
    transaction, so that none that was made since the page was shown is overlooked."""
    if not conflict_ids:
        return {}
    kinds = select(conflict.c.kind).where(among(conn, conflict.c.id, conflict_ids))
    return {kind: _precedents(conn, kind) for kind in set(conn.execute(kinds).scalars())}


def _precedents(conn: Connection, kind: str) -> list[Precedent]:
    appeal = ruling.alias("appeal")
    changed = exists().where(
        appeal.c.appeal_of == ruling.c.conflict_id, appeal.c.kind != "uphold_first"
    )
    rows = conn.execute(
        select(ruling, changed.label("changed"))
        .where(ruling.c.case_kind == kind, ruling.c.outcome.is_not(None))
        .order_by(ruling.c.decided_at.desc(), ruling.c.conflict_id.desc())
        .limit(LATEST)
    )
    return [
        Precedent(row.conflict_id, row.outcome, row.features, row.decided_at, row.level)
        for row in rows
        if not row.changed
    ]

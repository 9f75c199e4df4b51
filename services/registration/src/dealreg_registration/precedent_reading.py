"""Which rulings are like a case, and what they suggest. Staff only; must not write.

A ruling that an appeal has changed is no precedent any more; the appeal's own ruling is one for appeals.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from dealreg_registration import store
from dealreg_registration.domain.precedents import (
    SHOWN,
    Likeness,
    Precedent,
    Suggestion,
    features_of,
    most_alike,
    suggestion,
)
from dealreg_registration.programme import Programme
from dealreg_registration.tables_accounts import account, conflict, ruling
from dealreg_shared.contracts.base import format_instant

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
    return most_alike(features, _precedents(conn, row.kind, conflict_id))[:SHOWN]


def suggested(conn: Connection, programme: Programme, conflict_id: str) -> Suggestion | None:
    """What the precedents of a case suggest."""
    return suggestion(precedents_of(conn, programme, conflict_id))


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


def _precedents(conn: Connection, kind: str, conflict_id: str) -> list[Precedent]:
    overturned = {
        row.details.get("appeal_of")
        for row in conn.execute(
            select(conflict.c.details)
            .join(ruling, ruling.c.conflict_id == conflict.c.id)
            .where(ruling.c.case_kind == "appeal", ruling.c.kind != "uphold_first")
        )
    }
    rows = conn.execute(
        select(ruling)
        .where(
            ruling.c.case_kind == kind,
            ruling.c.conflict_id != conflict_id,
            ruling.c.outcome.is_not(None),
        )
        .order_by(ruling.c.decided_at.desc(), ruling.c.conflict_id)
        .limit(LATEST)
    )
    return [
        Precedent(row.conflict_id, row.outcome, row.features, row.decided_at, row.level)
        for row in rows
        if row.conflict_id not in overturned
    ]

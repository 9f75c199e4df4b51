"""What is proved from the log, and to whom: roots, growth, a registration's own entry, an earlier one.

A partner is shown of its own entry what it knows already (when, what, which registration) and the hash
of the rest; of an earlier entry nothing but its leaf and its position. Must not write.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Text, select, type_coerce

from dealreg_registration import log_store
from dealreg_registration.commands import Actor
from dealreg_registration.domain import log_entry as entries
from dealreg_registration.domain import merkle
from dealreg_registration.domain.account import HOLDING, LIVE
from dealreg_registration.tables_accounts import claim, registration
from dealreg_registration.tables_log import log_entry
from dealreg_registration.tables_programme import audit
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.receipts import Root, Signer, signed_root

View = dict[str, Any]


class NotSealed(Exception):
    """The entry is there, but no root stands over it yet: seconds from now one does."""


def root_view(conn: Connection, log: str) -> View | None:
    """The newest root; None while nothing was sealed."""
    root = log_store.newest_root(conn, log)
    return None if root is None else root.view()


def consistency_view(conn: Connection, log: str, old: int, new: int | None) -> View | None:
    """The proof that the log of ``new`` entries (None: the newest) begins with that of ``old``; None
    unless both were published."""
    first = log_store.root_at(conn, log, old)
    last = log_store.newest_root(conn, log) if new is None else log_store.root_at(conn, log, new)
    if first is None or last is None or first.size > last.size:
        return None
    path = log_store.proof(conn, merkle.consistency_ranges(first.size, last.size))
    return {
        "kind": "consistency",
        "from": first.view(),
        "to": last.view(),
        "path": [hash_.hex() for hash_ in path],
    }


def inclusion_view(conn: Connection, log: str, registration_id: str, actor: Actor) -> View | None:
    """The proof that the registration's first entry is in the log; None if the actor may not see it.

    Raises ``NotSealed``.
    """
    if not _may_see(conn, registration_id, actor):
        return None
    first = conn.execute(
        select(*log_store.AUDIT)
        .where(audit.c.subject == registration_id)
        .order_by(audit.c.id)
        .limit(1)
    ).first()
    found = None if first is None else _sealed(conn, first.id)
    root = log_store.newest_root(conn, log)
    if first is None or found is None or root is None or found.position >= root.size:
        raise NotSealed
    entry, salt = log_store.entry_of(first), bytes(found.salt)
    half = entries.SALT // 2
    return {
        "kind": "inclusion",
        "registration_id": registration_id,
        "entry": {
            "at": entry.at,
            "action": entry.action,
            "subject": entry.subject,
            "salt": salt[:half].hex(),
            "hidden": entries.hidden(entry, salt[half:]).hex(),
        },
        **_place(conn, found, root),
    }


def precedence_view(
    conn: Connection, log: str, registration_id: str, actor: Actor, signer: Signer
) -> View | None:
    """The proofs that something earlier was in the log before the registration's contested or duplicate
    claims were filed, under the last root of that time.

    That root is signed anew, as it stood when the claim was filed: its own instant may be that of
    a rival's filing. None without such a claim that the actor may see, or a root between the entries.
    """
    if not _may_see(conn, registration_id, actor):
        return None
    mine = conn.execute(
        select(claim)
        .where(claim.c.registration_id == registration_id)
        .where(claim.c.outcome.in_(("contested", "duplicate")))
        .order_by(claim.c.product_line)
    ).all()
    proofs = [proof for row in mine if (proof := _precedence(conn, log, row, signer))]
    if not proofs:
        return None
    return {"kind": "precedence", "registration_id": registration_id, "proofs": proofs}


def _precedence(conn: Connection, log: str, mine: Row[Any], signer: Signer) -> View | None:
    own = _first_step(conn, mine.registration_id, mine.id)
    if own is None:
        return None
    earlier = _earlier(conn, mine, own)
    found = None if earlier is None else _sealed(conn, earlier)
    root = log_store.root_before(conn, log, _written(own))
    if found is None or root is None or found.position >= root.size:
        return None
    filed_at = format_instant(_written(own))
    root = signed_root(log, root.size, root.root, filed_at, signer)
    return {
        "product_line": mine.product_line,
        "filed_at": filed_at,
        "entry": bytes(found.leaf).hex(),
        **_place(conn, found, root),
    }


def _place(conn: Connection, found: Row[Any], root: Root) -> View:
    path = log_store.proof(conn, merkle.inclusion_ranges(found.position, root.size))
    return {
        "position": found.position,
        "path": [hash_.hex() for hash_ in path],
        "root": root.view(),
    }


def _earlier(conn: Connection, mine: Row[Any], own: Row[Any]) -> int | None:
    """The number of the audit row with which the earlier claim began: of who held the line by then, else
    of who waited for it first; of a duplicate, the claim that it repeats."""
    if mine.duplicate_of is not None:
        its = select(claim.c.registration_id).where(claim.c.id == mine.duplicate_of)
        other = conn.execute(its).scalar_one_or_none()
        first = None if other is None else _first_step(conn, other, mine.duplicate_of)
        return None if first is None or first.id >= own.id else int(first.id)
    on_line = (claim.c.account_id == mine.account_id) & (claim.c.product_line == mine.product_line)
    others = {
        row.id: row
        for row in conn.execute(
            select(claim.c.id, claim.c.registration_id, claim.c.place).where(
                on_line, claim.c.id != mine.id, claim.c.partner_id != mine.partner_id
            )
        )
    }
    steps = conn.execute(
        select(audit.c.id, audit.c.detail)
        .where(audit.c.subject.in_({row.registration_id for row in others.values()}))
        .where(audit.c.id < own.id, audit.c.action.startswith("claim."))
        .order_by(audit.c.id)
    )
    began: dict[str, int] = {}
    state: dict[str, str] = {}
    for step in steps:
        id_ = step.detail["claim"]
        if id_ in others:
            began.setdefault(id_, step.id)
            state[id_] = step.detail.get("to", "protected")
    live = [id_ for id_, now in state.items() if now in LIVE]
    if not live:
        return None
    return began[min(live, key=lambda id_: (state[id_] not in HOLDING, began[id_]))]


def _first_step(conn: Connection, registration_id: str, claim_id: str) -> Row[Any] | None:
    rows = conn.execute(
        select(*log_store.AUDIT)
        .where(audit.c.subject == registration_id, audit.c.action.startswith("claim."))
        .where(type_coerce(audit.c.detail, Text).contains(claim_id, autoescape=True))
        .order_by(audit.c.id)
        .limit(1)
    )
    return rows.first()


def _written(row: Row[Any]) -> datetime:
    written: datetime = row.recorded_at or row.at
    return written


def _sealed(conn: Connection, audit_id: int) -> Row[Any] | None:
    query = select(log_entry).where(log_entry.c.audit_id == audit_id)
    return conn.execute(query).first()


def _may_see(conn: Connection, registration_id: str, actor: Actor) -> bool:
    query = select(registration.c.id).where(registration.c.id == registration_id)
    if not actor.staff:
        query = query.where(registration.c.partner_id == actor.partner_id)
    return conn.execute(query).first() is not None

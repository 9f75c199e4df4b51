"""Transfers from and to their rows, and what each side sees of one. Must not decide anything."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, or_, select

from dealreg_registration.commands import Actor
from dealreg_registration.domain.account import Account
from dealreg_registration.domain.transfer import Transfer
from dealreg_registration.tables_accounts import registration
from dealreg_registration.tables_referrals import transfer
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.db.among import among
from dealreg_shared.web.paging import Position, after, page

CHANGES = (
    "state",
    "holder_accepted_at",
    "receiver_accepted_at",
    "decided_at",
    "taken_registration_id",
)
"""All of a transfer that ever changes."""


def transfer_row(account_id: str, it: Transfer) -> dict[str, Any]:
    row = asdict(it) | {"account_id": account_id}
    return row | {"claim_ids": list(it.claim_ids), "product_lines": list(it.product_lines)}


def transfer_changes(it: Transfer) -> dict[str, Any]:
    return {"key_id": it.id} | {name: getattr(it, name) for name in CHANGES}


def transfer_from(row: Row[Any]) -> Transfer:
    return Transfer(
        id=row.id,
        registration_id=row.registration_id,
        from_id=row.from_id,
        to_id=row.to_id,
        claim_ids=tuple(row.claim_ids),
        product_lines=tuple(row.product_lines),
        state=row.state,
        plan_number=row.plan_number,
        opened_at=row.opened_at,
        due_at=row.due_at,
        holder_accepted_at=row.holder_accepted_at,
        receiver_accepted_at=row.receiver_accepted_at,
        decided_at=row.decided_at,
        taken_registration_id=row.taken_registration_id,
    )


def read_transfers(conn: Connection, accounts: Iterable[Account]) -> Iterator[tuple[str, Transfer]]:
    """With their accounts, the pending transfers; where no claim waits for one, nothing is asked."""
    waiting = {
        it.id
        for it in accounts
        if any(claim.flags.transfer_until is not None for claim in it.claims.values())
    }
    if waiting:
        pending = among(conn, transfer.c.account_id, waiting) & (transfer.c.state == "pending")
        query = select(transfer).where(pending).order_by(transfer.c.opened_at, transfer.c.id)
        for row in conn.execute(query):
            yield row.account_id, transfer_from(row)


def find_transfer(conn: Connection, transfer_id: str, actor: Actor) -> Transfer | None:
    """One that the actor may see."""
    row = conn.execute(_visible(actor).where(transfer.c.id == transfer_id)).one_or_none()
    return None if row is None else transfer_from(row)


def transfer_page(
    conn: Connection, cursor: str | None, limit: int, actor: Actor
) -> tuple[list[dict[str, Any]], str | None]:
    """The newest first."""
    query = _visible(actor)
    rows = conn.execute(
        after(query, transfer.c.opened_at, transfer.c.id, cursor, limit, descending=True)
    ).all()
    shown, following = page(rows, limit, lambda row: Position(row.opened_at, row.id))
    views = [transfer_view(transfer_from(row), row.account_name, None, actor) for row in shown]
    return views, following


def _visible(actor: Actor) -> Any:
    query = select(transfer, registration.c.account_name).join(
        registration, registration.c.id == transfer.c.registration_id
    )
    if not actor.staff:
        own = actor.partner_id
        query = query.where(or_(transfer.c.from_id == own, transfer.c.to_id == own))
    return query


def transfer_view(
    it: Transfer, account_name: str, protected_until: datetime | None, actor: Actor
) -> dict[str, Any]:
    """Neither side is told who the other is; staff see both."""

    def instant(value: datetime | None) -> str | None:
        return None if value is None else format_instant(value)

    view: dict[str, Any] = {
        "id": it.id,
        "state": it.state,
        "account": {"name": account_name},
        "product_lines": list(it.product_lines),
        "opened_at": instant(it.opened_at),
        "due_at": instant(it.due_at),
        "decided_at": instant(it.decided_at),
    }
    if protected_until is not None:
        view["protected_until"] = instant(protected_until)
    if actor.staff:
        return view | {
            "registration_id": it.registration_id,
            "from_partner": it.from_id,
            "to_partner": it.to_id,
            "holder_accepted_at": instant(it.holder_accepted_at),
            "receiver_accepted_at": instant(it.receiver_accepted_at),
            "taken_registration_id": it.taken_registration_id,
        }
    if it.from_id == actor.partner_id:
        return view | {
            "you_are": "holder",
            "registration_id": it.registration_id,
            "accepted_at": instant(it.holder_accepted_at),
        }
    return view | {
        "you_are": "receiver",
        "registration_id": it.taken_registration_id,
        "accepted_at": instant(it.receiver_accepted_at),
    }

"""Which accounts are one, as it was known at an instant. Merges are never undone. Must not write."""

from datetime import datetime

from sqlalchemy import Connection, select

from dealreg_registration.tables_accounts import account
from dealreg_registration.tables_programme import audit
from dealreg_shared.db.among import among, rows_among


def surviving(conn: Connection, account_id: str) -> str | None:
    """The account that this one is part of by now, or itself; None if there is no such account."""
    found: str | None = None
    following: str | None = account_id
    while following is not None:
        row = conn.execute(
            select(account.c.id, account.c.merged_into).where(account.c.id == following)
        ).one_or_none()
        if row is None:
            return found
        found, following = row.id, row.merged_into
    return found


def one_with(conn: Connection, account_id: str, survivor_id: str, known_at: datetime) -> set[str]:
    """The accounts that were known at ``known_at`` to be one with this one."""
    family, latest = {survivor_id}, {survivor_id}
    while latest:
        latest = set(rows_among(conn, account.c.merged_into, latest, account.c.id).scalars())
        family |= latest
    merges = [
        (row.subject, row.detail["merged"])
        for row in conn.execute(
            select(audit.c.subject, audit.c.detail).where(
                among(conn, audit.c.subject, family),
                audit.c.action == "account.merged",
                audit.c.at <= known_at,
            )
        )
    ]
    known = {account_id}
    while grown := {one for pair in merges if known & set(pair) for one in pair} - known:
        known |= grown
    return known

"""Cases into memory, and what else commands on cases look at. Works on the account writer's connection.

Must not decide anything and must not commit.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, or_, select, text

from dealreg_registration.account_rows import claim_from, registration_from
from dealreg_registration.case_rows import case_from
from dealreg_registration.domain.account import Account
from dealreg_registration.tables_accounts import claim, conflict, conflict_claim, registration
from dealreg_registration.tables_programme import delegation
from dealreg_shared.db.among import among, among_given, listed, rows_among


def read_cases(conn: Connection, accounts: Mapping[str, Account], named: Collection[str]) -> None:
    """The undecided cases of these accounts, and those named, with every claim of them. In the order in
    which they opened: a claim joins the first that its holder is part of."""
    given = {"accounts": listed(accounts), "named": listed(named)}
    rows = conn.execute(_cases(conn.dialect.name, bool(named)), given).all()
    if not rows:
        return
    members: dict[str, list[str]] = {}
    for member in conn.execute(
        _members(conn.dialect.name), {"cases": listed(row.id for row in rows)}
    ):
        members.setdefault(member.conflict_id, []).append(member.claim_id)
    for row in rows:
        accounts[row.account_id].cases[row.id] = case_from(row, members.get(row.id, []))
    known = {claim_id for it in accounts.values() for claim_id in it.claims}
    missing = {claim_id for ids in members.values() for claim_id in ids} - known
    if missing:
        _read_ended(conn, accounts, missing)


@cache
def _cases(dialect: str, named_too: bool) -> Select[Any]:
    """The undecided cases of ``accounts``, and those ``named``."""
    chosen: ColumnElement[bool] = among_given(dialect, conflict.c.account_id, "accounts") & text(
        "conflict.state IN ('open', 'reviewed')"
    )
    if named_too:
        chosen = or_(chosen, among_given(dialect, conflict.c.id, "named"))
    return select(conflict).where(chosen).order_by(conflict.c.opened_at, conflict.c.id)


@cache
def _members(dialect: str) -> Select[Any]:
    """The claims of ``cases``, in their order."""
    return (
        select(conflict_claim)
        .where(among_given(dialect, conflict_claim.c.conflict_id, "cases"))
        .order_by(conflict_claim.c.conflict_id, conflict_claim.c.position)
    )


def _read_ended(conn: Connection, accounts: Mapping[str, Account], claim_ids: set[str]) -> None:
    """Claims that ended while their case goes on, and their registrations."""
    rows = sorted(rows_among(conn, claim.c.id, claim_ids), key=lambda row: (row.place, row.id))
    found = [(row.account_id, claim_from(row)) for row in rows]
    for account_id, ended in found:
        accounts[account_id].claims[ended.id] = ended
    wanted = {
        ended.registration_id
        for account_id, ended in found
        if ended.registration_id not in accounts[account_id].registrations
    }
    if wanted:
        for row in sorted(rows_among(conn, registration.c.id, wanted), key=lambda row: row.id):
            accounts[row.account_id].registrations[row.id] = registration_from(row)


def suspected_pairs(conn: Connection, account_ids: Collection[str]) -> set[frozenset[str]]:
    """The pairs of accounts, one of them among these, that a person was asked about already."""
    if not account_ids:
        return set()
    here, other = conflict.c.account_id, conflict.c.other_account_id
    rows = conn.execute(
        select(here, other).where(
            conflict.c.kind == "possible_duplicate",
            or_(among(conn, here, account_ids), among(conn, other, account_ids)),
        )
    )
    return {frozenset(pair) for pair in rows.tuples()}


def account_of_case(conn: Connection, case_ids: Collection[str]) -> dict[str, str]:
    """Case id -> account id, for those that exist."""
    if not case_ids:
        return {}
    rows = rows_among(conn, conflict.c.id, case_ids, conflict.c.id, conflict.c.account_id)
    return {row.id: row.account_id for row in rows}


def delegators(
    conn: Connection, delegates: Collection[str], now: datetime
) -> dict[str, frozenset[str]]:
    """Person id -> those for whom the person may act at ``now``. No chains."""
    if not delegates:
        return {}
    found: dict[str, set[str]] = {}
    for row in conn.execute(
        select(delegation.c.person_id, delegation.c.delegate_id).where(
            among(conn, delegation.c.delegate_id, delegates),
            delegation.c.begins <= now,
            delegation.c.ends > now,
        )
    ):
        found.setdefault(row.delegate_id, set()).add(row.person_id)
    return {delegate: frozenset(persons) for delegate, persons in found.items()}


def other_account_of(conn: Connection, conflict_id: str) -> str | None:
    """The account that may be the same one, in a possible duplicate."""
    found = conn.execute(select(conflict.c.other_account_id).where(conflict.c.id == conflict_id))
    other: str | None = found.scalar_one_or_none()
    return other

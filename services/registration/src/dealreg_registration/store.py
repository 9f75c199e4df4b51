"""Accounts into memory: what the account writer reads of those that it has locked.

Works on the account writer's connection, set-wise: a few statements for a whole batch. Must not decide
anything and must not commit. What changed is written by ``store_rows``.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    or_,
    select,
    text,
)

from dealreg_registration.account_rows import claim_from, registration_from
from dealreg_registration.case_store import read_cases
from dealreg_registration.domain import facts
from dealreg_registration.domain.account import (
    ACTIVE,
    Account,
    Registration,
)
from dealreg_registration.domain.case import Case
from dealreg_registration.domain.facts import Facts
from dealreg_registration.domain.referral import Referral
from dealreg_registration.domain.transfer import Transfer
from dealreg_registration.referral_rows import read_referrals
from dealreg_registration.tables_accounts import (
    account,
    account_key,
    claim,
    registration,
)
from dealreg_registration.transfer_rows import read_transfers
from dealreg_shared.db.among import among, among_given, listed, rows_among


@dataclass(slots=True)
class Loaded:
    """An account with what was read, so that only what changed is written."""

    account: Account
    event_version: int
    created_at: datetime
    next_due_at: datetime | None = None
    is_new: bool = False
    registrations: dict[str, Registration] | None = None
    cases: dict[str, Case] | None = None
    referrals: dict[str, Referral] | None = None
    transfers: dict[str, Transfer] | None = None
    known_facts: Facts | None = None
    reasons: dict[str, Sequence[str]] = field(default_factory=dict)
    """The sentences of the claims that were read, by claim id."""

    def remember(self) -> None:
        """Take the present state as what the database holds."""
        self.registrations = dict(self.account.registrations)
        self.cases = dict(self.account.cases)
        self.referrals = dict(self.account.referrals)
        self.transfers = dict(self.account.transfers)
        self.known_facts = self.account.facts


def adopt(survivor: Loaded, merged: Loaded) -> None:
    """The database holds what was the merged account's; it becomes the survivor's."""
    for name in ("registrations", "cases", "referrals", "transfers"):
        setattr(
            survivor, name, {**(getattr(survivor, name) or {}), **(getattr(merged, name) or {})}
        )
        setattr(merged, name, {})


def children_of(conn: Connection, parent_ids: Collection[str]) -> set[str]:
    """The accounts whose parent is one of these."""
    if not parent_ids:
        return set()
    return set(rows_among(conn, account.c.parent_id, parent_ids, account.c.id).scalars())


def read_accounts(
    conn: Connection,
    rows: Sequence[Row[Any]],
    registration_ids: Collection[str] = (),
    *,
    expired_too: bool = False,
    case_ids: Collection[str] = (),
    whole: Collection[str] = (),
) -> dict[str, Loaded]:
    """The accounts of some rows with their active claims and undecided cases, all claims of some
    registrations with the cases they were part of, the cases in ``case_ids``, and every claim of the
    accounts in ``whole``. Everything of an account stands in an order of its own, never in that in which
    a database happens to find it, so that both decide the same, and the same again."""
    if not rows:
        return {}
    ids = [row.id for row in rows]
    parents = {row.parent_id for row in rows if row.parent_id is not None}
    keys: dict[str, set[str]] = {}
    of = account_key.c
    for key, account_id in rows_among(conn, of.account_id, [*ids, *parents], of.key, of.account_id):
        keys.setdefault(account_id, set()).add(key)
    loaded = {
        row.id: Loaded(
            account=Account(
                id=row.id,
                name=row.name,
                facts=facts.from_json(row.facts),
                sources=row.sources,
                keys=frozenset(keys.get(row.id, ())),
                parent_id=row.parent_id,
                parent_keys=frozenset(keys.get(row.parent_id, ()))
                if row.parent_id
                else frozenset(),
                last_place=row.last_place,
                version=row.version,
                merged_into=row.merged_into,
                absorbs=row.absorbs,
            ),
            event_version=row.event_version,
            created_at=row.created_at,
        )
        for row in rows
    }
    claims_wanted = _claims(conn.dialect.name, expired_too, bool(registration_ids), bool(whole))
    given = {"accounts": ids, "registrations": registration_ids, "whole": whole}
    for row in conn.execute(claims_wanted, {name: listed(it) for name, it in given.items()}):
        loaded[row.account_id].account.claims[row.id] = claim_from(row)
        loaded[row.account_id].reasons[row.id] = row.reasons
    wanted = {c.registration_id for item in loaded.values() for c in item.account.claims.values()}
    wanted.update(registration_ids)
    if wanted:
        for row in sorted(rows_among(conn, registration.c.id, wanted), key=lambda row: row.id):
            loaded[row.account_id].account.registrations[row.id] = registration_from(row)
    past = {
        c.case_id
        for item in loaded.values()
        for c in item.account.claims.values()
        if c.case_id is not None and c.registration_id in registration_ids
    }
    accounts = {account_id: item.account for account_id, item in loaded.items()}
    read_cases(conn, accounts, {*case_ids, *past})
    claims = [claim for item in loaded.values() for claim in item.account.claims.values()]
    for account_id, offered in read_referrals(conn, claims):
        loaded[account_id].account.referrals[offered.id] = offered
    for account_id, waiting in read_transfers(conn, [item.account for item in loaded.values()]):
        loaded[account_id].account.transfers[waiting.id] = waiting
    for item in loaded.values():
        item.remember()
    return loaded


@cache
def _claims(dialect: str, expired_too: bool, of_registrations: bool, whole: bool) -> Select[Any]:
    """The active claims of ``accounts``, and all of ``registrations`` and of the accounts ``whole``."""
    states = ACTIVE | {"expired"} if expired_too else ACTIVE
    active = text(
        "claim.state IN ({})".format(", ".join(f"'{state}'" for state in sorted(states)))
    )  # literal, so that the partial index is used
    chosen: ColumnElement[bool] = among_given(dialect, claim.c.account_id, "accounts") & active
    if of_registrations:
        chosen = or_(chosen, among_given(dialect, claim.c.registration_id, "registrations"))
    if whole:
        chosen = or_(chosen, among_given(dialect, claim.c.account_id, "whole"))
    return select(claim).where(chosen).order_by(claim.c.place, claim.c.id)


def read_incumbents(
    conn: Connection, loaded: Mapping[str, Loaded], renewed: Collection[str]
) -> None:
    """Who won the last deal on each line of these accounts: what renewals are decided by.

    A deal that was reported won after its protection had expired counts as well.
    """
    rows = conn.execute(
        select(claim.c.account_id, claim.c.product_line, claim.c.partner_id)
        .join(registration, registration.c.id == claim.c.registration_id)
        .where(
            among(conn, claim.c.account_id, renewed),
            registration.c.result == "won",
            claim.c.state.in_(("won", "expired")),
        )
        .order_by(registration.c.result_at, claim.c.place)
    )
    for row in rows:
        loaded[row.account_id].account.incumbents[row.product_line] = row.partner_id


def due_accounts(
    conn: Connection, now: datetime, released: Mapping[str, datetime], limit: int
) -> list[str]:
    """Accounts on which something is due and no sweep has carried it out, the longest overdue first.

    ``released`` names partners whose suspension has ended their protections, and since when: their
    accounts are not marked when they are suspended, so they come last, by their claims.
    """
    due = list(
        conn.execute(
            select(account.c.id)
            .where(account.c.next_due_at <= now)
            .order_by(account.c.next_due_at, account.c.id)
            .limit(limit)
        ).scalars()
    )
    if not released or len(due) == limit:
        return due
    over = or_(
        *(
            (claim.c.partner_id == partner_id) & (claim.c.protected_from < since)
            for partner_id, since in sorted(released.items())
        )
    )
    found = conn.execute(
        select(claim.c.account_id)
        .where(text("claim.state IN ('protected', 'extended')"), over)
        .distinct()
        .order_by(claim.c.account_id)
        .limit(limit)
    ).scalars()
    return list(dict.fromkeys([*due, *found]))[:limit]


def account_of(conn: Connection, registration_ids: Collection[str]) -> dict[str, str]:
    """Registration id -> account id, for those that exist."""
    if not registration_ids:
        return {}
    of = registration.c
    rows = rows_among(conn, of.id, registration_ids, of.id, of.account_id)
    return {row.id: row.account_id for row in rows}

"""Accounts back into the database: the rows that a batch has changed, in a few statements.

Works on the account writer's connection. Must not decide anything and must not commit.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, Update, bindparam, delete, insert, update

from dealreg_registration.case_rows import case_changes, case_row
from dealreg_registration.domain import facts, flags
from dealreg_registration.domain.account import Account, Claim, ClaimMoved, Registration
from dealreg_registration.domain.case import Case
from dealreg_registration.domain.decide import RULE_BOOK
from dealreg_registration.domain.entries import Decided
from dealreg_registration.merge_rows import merge_rows
from dealreg_registration.referral_rows import referral_changes, referral_row
from dealreg_registration.store import Loaded
from dealreg_registration.tables_accounts import (
    account,
    claim,
    conflict,
    conflict_claim,
    decision,
    registration,
    registration_contact,
)
from dealreg_registration.tables_referrals import referral, transfer
from dealreg_registration.transfer_rows import transfer_changes, transfer_row
from dealreg_shared.db.bulk import insert_rows


def write_accounts(
    conn: Connection,
    batch: Collection[Loaded],
    details: Mapping[str, Mapping[str, Any]],
    further: Sequence[tuple[Table, Sequence[dict[str, Any]]]],
    now: datetime,
    merges: Sequence[tuple[str, str, Mapping[str, datetime]]] = (),
) -> None:
    """Write what changed. ``details`` holds the columns of new registrations that no rule looks at.

    ``further`` are new rows of other tables, written in the same statement.
    """
    rows = _Rows()
    for item in batch:
        rows.collect(item, details, now)
    rows.write(conn, further, merges)


class _Rows:
    """The rows of a batch, by table and kind of statement."""

    def __init__(self) -> None:
        self.new: dict[str, list[dict[str, Any]]] = {}
        self.changed: dict[str, list[dict[str, Any]]] = {}

    def collect(
        self, item: Loaded, details: Mapping[str, Mapping[str, Any]], now: datetime
    ) -> None:
        it = item.account
        self._account(item, now)
        known = item.registrations or {}
        for current in it.registrations.values():
            if current.id not in known:
                self._new(
                    registration, _registration_row(current, it.id) | dict(details[current.id])
                )
            elif current != known[current.id]:
                self._changed(registration, _registration_changes(current))
        self._claims(it)
        for case in it.cases.values():
            self._case(it.id, case, (item.cases or {}).get(case.id))
        known_referrals = item.referrals or {}
        for offered in it.referrals.values():
            if offered.id not in known_referrals:
                self._new(referral, referral_row(it.id, offered))
            elif offered != known_referrals[offered.id]:
                self._changed(referral, referral_changes(offered))
        known_transfers = item.transfers or {}
        for asked in it.transfers.values():
            if asked.id not in known_transfers:
                self._new(transfer, transfer_row(it.id, asked))
            elif asked != known_transfers[asked.id]:
                self._changed(transfer, transfer_changes(asked))
        for entry in it.journal:
            if isinstance(entry, Decided):
                self._new(decision, _decision_row(it.id, entry))

    def write(
        self,
        conn: Connection,
        further: Sequence[tuple[Table, Sequence[dict[str, Any]]]],
        merges: Sequence[tuple[str, str, Mapping[str, datetime]]],
    ) -> None:
        """Ends before beginnings: a line must be free before another claim may hold it."""
        for table in (account, registration, conflict, claim, referral, transfer):
            if rows := self.changed.get(table.name):
                _update(conn, table, rows)
        for survivor_id, merged_id, taken_at in merges:
            merge_rows(conn, survivor_id, merged_id, taken_at)
        own = (account, registration, conflict, claim, conflict_claim, decision, referral, transfer)
        insert_rows(conn, [*((table, self.new.get(table.name, ())) for table in own), *further])

    def _new(self, table: Table, row: dict[str, Any]) -> None:
        self.new.setdefault(table.name, []).append(row)

    def _changed(self, table: Table, row: dict[str, Any]) -> None:
        self.changed.setdefault(table.name, []).append(row)

    def _account(self, item: Loaded, now: datetime) -> None:
        it = item.account
        row = {
            "name": it.name,
            "facts": facts.to_json(it.facts),
            "sources": it.sources,
            "last_place": it.last_place,
            "event_version": item.event_version,
            "version": it.version,
            "parent_id": it.parent_id,
            "next_due_at": item.next_due_at,
            "merged_into": it.merged_into,
            "absorbs": it.absorbs,
        }
        if item.is_new:
            self._new(account, row | {"id": it.id, "created_at": now})
        else:
            self._changed(account, row | {"key_id": it.id})

    def _claims(self, it: Account) -> None:
        first: dict[str, ClaimMoved] = {}
        reasons: dict[str, tuple[str, ...]] = {}
        for move in it.moves():
            first.setdefault(move.after.id, move)
            if move.reasons:
                reasons[move.after.id] = move.reasons
        changed: list[tuple[bool, dict[str, Any]]] = []
        for claim_id, move in first.items():
            current = it.claims[claim_id]
            row = _claim_row(current)
            if claim_id in reasons:
                row["reasons"] = list(reasons[claim_id])
            if move.before is None:
                self._new(
                    claim,
                    {"reasons": []}
                    | row
                    | {
                        "account_id": it.id,
                        "outcome": move.after.state,
                        "numbered_by": it.id,
                        "taken_at": current.taken_at,
                    },
                )
            else:
                row["key_id"] = row.pop("id")
                changed.append((current.holds, row))
        for _, row in sorted(changed, key=lambda entry: entry[0]):
            self._changed(claim, row)

    def _case(self, account_id: str, case: Case, known: Case | None) -> None:
        if case == known:
            return
        if known is None:
            self._new(conflict, case_row(account_id, case))
        else:
            self._changed(conflict, case_changes(case) | {"key_id": case.id})
        before = known.claim_ids if known else ()
        for position, claim_id in enumerate(case.claim_ids):
            if claim_id not in before:
                self._new(
                    conflict_claim,
                    {"conflict_id": case.id, "claim_id": claim_id, "position": position},
                )


def _update(conn: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """One prepared statement per set of columns, run in the order of the rows."""
    start = 0
    while start < len(rows):
        columns = rows[start].keys()
        end = start
        while end < len(rows) and rows[end].keys() == columns:
            end += 1
        conn.execute(_update_of(table, tuple(columns)), list(rows[start:end]))
        start = end


@cache
def _update_of(table: Table, columns: tuple[str, ...]) -> Update:
    return (
        update(table)
        .where(table.c.id == bindparam("key_id"))
        .values({name: bindparam(name) for name in columns if name != "key_id"})
    )


def _claim_row(it: Claim) -> dict[str, Any]:
    return {
        "id": it.id,
        "registration_id": it.registration_id,
        "partner_id": it.partner_id,
        "product_line": it.product_line,
        "place": it.place,
        "state": it.state,
        "decided_at": it.decided_at,
        "plan_number": it.plan_number,
        "protected_from": it.protected_from,
        "protected_until": it.protected_until,
        "territory_id": it.territory_id,
        "assignment_id": it.assignment_id,
        "referred_kind": it.referred_kind,
        "referred_id": it.referred_id,
        "duplicate_of": it.duplicate_of,
        "case_id": it.case_id,
        "appeal_id": it.appeal_id,
        "co_holds": it.co_holds,
        "codes": list(it.codes),
        "ended_at": it.ended_at,
        "flags": flags.to_json(it.flags),
    }


def _registration_changes(it: Registration) -> dict[str, Any]:
    return {
        "key_id": it.id,
        "amount": str(it.amount),
        "currency": it.currency,
        "amount_base": str(it.amount_base),
        "close_date": it.close_date,
        "market_region": it.market_region,
        "market_segment": it.market_segment,
        "last_activity_at": it.last_activity_at,
        "version": it.version,
        "result": it.result,
        "result_at": it.result_at,
    }


def _registration_row(it: Registration, account_id: str) -> dict[str, Any]:
    place = it.place_of_use
    row = _registration_changes(it)
    row.pop("key_id")
    return row | {
        "id": it.id,
        "account_id": account_id,
        "partner_id": it.partner_id,
        "filed_at": it.filed_at,
        "account_name": it.account_name,
        "deal_type": it.deal_type,
        "place_of_use": [place.country, place.subdivision, place.postal_code, place.city],
        "tags": sorted(it.tags),
        "reseller_id": it.reseller_id,
        "distributor_id": it.distributor_id,
        "referred_by": it.referred_by,
    }


def _decision_row(account_id: str, entry: Decided) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "registration_id": entry.registration_id,
        "decided_at": entry.at,
        "kind": entry.kind,
        "plan_number": entry.plan_number,
        "rule_book": RULE_BOOK,
        "inputs": entry.inputs,
        "result": entry.result,
    }


def replace_contacts(
    conn: Connection, contacts: Mapping[str, Sequence[Mapping[str, str | None]]]
) -> None:
    """Put a registration's contacts in place of its former ones. The former may be guessed from the hash
    of the filed body no longer: its salt goes."""
    for registration_id, entries in contacts.items():
        conn.execute(
            delete(registration_contact).where(
                registration_contact.c.registration_id == registration_id
            )
        )
        mine = (registration.c.id == registration_id) & registration.c.receipt_salt.is_not(None)
        conn.execute(update(registration).where(mine).values(receipt_salt=None))
        if entries:
            conn.execute(
                insert(registration_contact),
                [
                    {"registration_id": registration_id, "position": position, **entry}
                    for position, entry in enumerate(entries)
                ],
            )

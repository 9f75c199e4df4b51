"""Accounts into memory and back: all SQL of the account writer.

Works on the account writer's connection, set-wise: a few statements for a whole batch. Must not decide
anything and must not commit.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Row,
    String,
    Table,
    any_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from dealreg_registration.domain import facts
from dealreg_registration.domain.account import (
    ACTIVE,
    Account,
    Case,
    Claim,
    ClaimMoved,
    Deadline,
    Decided,
    Registration,
)
from dealreg_registration.domain.decide import RULE_BOOK
from dealreg_registration.domain.facts import Facts, Location
from dealreg_registration.tables_accounts import (
    account,
    account_key,
    claim,
    conflict,
    conflict_claim,
    decision,
    registration,
    registration_contact,
)
from dealreg_shared.db.types import parse_instant


def among(
    conn: Connection, column: ColumnElement[str], values: Iterable[str]
) -> ColumnElement[bool]:
    """``column`` is one of ``values``, as one parameter: the statement stays the same for any number."""
    listed = sorted(set(values))
    if conn.dialect.name == "postgresql":
        return column == any_(bindparam(None, listed, type_=ARRAY(String)))
    return column.in_(listed)


@dataclass(slots=True)
class Loaded:
    """An account with what was read, so that only what changed is written."""

    account: Account
    event_version: int
    version: int
    created_at: datetime
    parent_id: str | None = None
    is_new: bool = False
    registrations: dict[str, Registration] | None = None
    cases: dict[str, Case] | None = None
    known_facts: Facts | None = None

    def remember(self) -> None:
        """Take the present state as what the database holds."""
        self.registrations = dict(self.account.registrations)
        self.cases = dict(self.account.cases)
        self.known_facts = self.account.facts


# --- identity ------------------------------------------------------------------------------------


def read_keys(
    conn: Connection, keys: Collection[str]
) -> tuple[dict[str, str], dict[str, set[str]]]:
    """Who holds these keys, and all keys of those accounts."""
    if not keys:
        return {}, {}
    held = account_key.alias("held")
    rows = conn.execute(
        select(account_key.c.key, account_key.c.account_id).where(
            account_key.c.account_id.in_(
                select(held.c.account_id).where(among(conn, held.c.key, keys))
            )
        )
    ).all()
    keys_of: dict[str, set[str]] = {}
    for key, account_id in rows:
        keys_of.setdefault(account_id, set()).add(key)
    return {key: account_id for key, account_id in rows if key in keys}, keys_of


def claim_keys(conn: Connection, wanted: Mapping[str, str]) -> bool:
    """Give each key to its account, in sorted order. False if someone else was faster with any."""
    if not wanted:
        return True
    rows = [{"key": key, "account_id": wanted[key]} for key in sorted(wanted)]
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    statement = (
        dialect.insert(account_key)
        .on_conflict_do_nothing()
        .values(rows)
        .returning(account_key.c.key)
    )
    return len(conn.execute(statement).all()) == len(rows)


# --- reading -------------------------------------------------------------------------------------


def lock_accounts(conn: Connection, account_ids: Collection[str]) -> list[Row[Any]]:
    """The accounts' rows, locked in sorted order. SQLite's one writer needs no lock."""
    if not account_ids:
        return []
    statement = select(account).where(among(conn, account.c.id, account_ids)).order_by(account.c.id)
    return list(conn.execute(statement.with_for_update()).all())


def read_accounts(
    conn: Connection,
    rows: Sequence[Row[Any]],
    registration_ids: Collection[str] = (),
    *,
    expired_too: bool = False,
) -> dict[str, Loaded]:
    """The accounts of some rows with their active claims, and all claims of some registrations."""
    ids = [row.id for row in rows]
    parents = {row.parent_id for row in rows if row.parent_id is not None}
    keys: dict[str, set[str]] = {}
    for key, account_id in conn.execute(
        select(account_key.c.key, account_key.c.account_id).where(
            among(conn, account_key.c.account_id, [*ids, *parents])
        )
    ):
        keys.setdefault(account_id, set()).add(key)
    loaded = {
        row.id: Loaded(
            account=Account(
                id=row.id,
                name=row.name,
                facts=facts.from_json(row.facts),
                sources=row.sources,
                keys=frozenset(keys.get(row.id, ())),
                parent_keys=frozenset(keys.get(row.parent_id, ()))
                if row.parent_id
                else frozenset(),
                last_place=row.last_place,
            ),
            event_version=row.event_version,
            version=row.version,
            created_at=row.created_at,
            parent_id=row.parent_id,
        )
        for row in rows
    }
    states = ACTIVE | {"expired"} if expired_too else ACTIVE
    active = text(
        "claim.state IN ({})".format(", ".join(f"'{state}'" for state in sorted(states)))
    )  # literal, so that the partial index is used
    chosen: ColumnElement[bool] = among(conn, claim.c.account_id, ids) & active
    if registration_ids:
        chosen = or_(chosen, among(conn, claim.c.registration_id, registration_ids))
    for row in conn.execute(select(claim).where(chosen)):
        loaded[row.account_id].account.claims[row.id] = claim_from(row)
    wanted = {c.registration_id for item in loaded.values() for c in item.account.claims.values()}
    wanted.update(registration_ids)
    if wanted:
        for row in conn.execute(select(registration).where(among(conn, registration.c.id, wanted))):
            loaded[row.account_id].account.registrations[row.id] = _registration(row)
    _read_cases(conn, loaded)
    for item in loaded.values():
        item.remember()
    return loaded


def _read_cases(conn: Connection, loaded: Mapping[str, Loaded]) -> None:
    contested = {
        item.account.id
        for item in loaded.values()
        if any(c.case_id is not None for c in item.account.claims.values())
    }
    if not contested:
        return
    members: dict[str, list[str]] = {}
    rows = conn.execute(
        select(conflict).where(
            among(conn, conflict.c.account_id, contested), conflict.c.state == "open"
        )
    ).all()
    for member in conn.execute(
        select(conflict_claim)
        .where(among(conn, conflict_claim.c.conflict_id, [row.id for row in rows]))
        .order_by(conflict_claim.c.conflict_id, conflict_claim.c.position)
    ):
        members.setdefault(member.conflict_id, []).append(member.claim_id)
    for row in rows:
        loaded[row.account_id].account.cases[row.id] = case_from(row, members.get(row.id, []))


def claim_from(row: Row[Any]) -> Claim:
    return Claim(
        id=row.id,
        registration_id=row.registration_id,
        partner_id=row.partner_id,
        product_line=row.product_line,
        place=row.place,
        state=row.state,
        decided_at=row.decided_at,
        plan_number=row.plan_number,
        protected_from=row.protected_from,
        protected_until=row.protected_until,
        territory_id=row.territory_id,
        assignment_id=row.assignment_id,
        referred_kind=row.referred_kind,
        referred_id=row.referred_id,
        duplicate_of=row.duplicate_of,
        case_id=row.case_id,
        codes=tuple(row.codes),
        ended_at=row.ended_at,
    )


def _registration(row: Row[Any]) -> Registration:
    return Registration(
        id=row.id,
        partner_id=row.partner_id,
        account_name=row.account_name,
        filed_at=row.filed_at,
        amount=Decimal(row.amount),
        currency=row.currency,
        amount_base=Decimal(row.amount_base),
        close_date=row.close_date,
        deal_type=row.deal_type,
        place_of_use=Location(*row.place_of_use),
        tags=frozenset(row.tags),
        reseller_id=row.reseller_id,
        distributor_id=row.distributor_id,
        market_region=row.market_region,
        market_segment=row.market_segment,
        last_activity_at=row.last_activity_at,
        version=row.version,
        result=row.result,
        result_at=row.result_at,
    )


def case_from(row: Row[Any], claim_ids: Iterable[str]) -> Case:
    return Case(
        id=row.id,
        kind=row.kind,
        state=row.state,
        opened_at=row.opened_at,
        generation=row.generation,
        deadlines=tuple(
            Deadline(level, role, person, None if due is None else parse_instant(due))
            for level, role, person, due in row.deadlines
        ),
        market_region=row.market_region,
        market_segment=row.market_segment,
        plan_number=row.plan_number,
        claim_ids=tuple(claim_ids),
        closed_at=row.closed_at,
        closed_level=row.closed_level,
    )


# --- writing -------------------------------------------------------------------------------------


def write_accounts(
    conn: Connection,
    batch: Collection[Loaded],
    details: Mapping[str, Mapping[str, Any]],
    now: datetime,
) -> None:
    """Write what changed. ``details`` holds the columns of new registrations that no rule looks at."""
    rows = _Rows()
    for item in batch:
        rows.collect(item, details, now)
    rows.write(conn)


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
        for entry in it.journal:
            if isinstance(entry, Decided):
                self._new(decision, _decision_row(it.id, entry))

    def write(self, conn: Connection) -> None:
        """Ends before beginnings: a line must be free before another claim may hold it."""
        for table in (account, registration, conflict):
            if rows := self.new.get(table.name):
                conn.execute(insert(table), rows)
        for table in (account, registration, conflict, claim):
            if rows := self.changed.get(table.name):
                _update(conn, table, rows)
        for table in (claim, conflict_claim, decision):
            if rows := self.new.get(table.name):
                conn.execute(insert(table), rows)

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
            "version": item.version + 1,
            "parent_id": item.parent_id,
        }
        if item.is_new:
            self._new(account, row | {"id": it.id, "created_at": now, "version": 1})
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
                    {"reasons": []} | row | {"account_id": it.id, "outcome": move.after.state},
                )
            else:
                row["key_id"] = row.pop("id")
                changed.append((current.holds, row))
        for _, row in sorted(changed, key=lambda entry: entry[0]):
            self._changed(claim, row)

    def _case(self, account_id: str, case: Case, known: Case | None) -> None:
        if case == known:
            return
        row = {
            "state": case.state,
            "closed_at": case.closed_at,
            "closed_level": case.closed_level,
        }
        if known is None:
            self._new(conflict, row | _case_row(account_id, case))
        else:
            self._changed(conflict, row | {"key_id": case.id})
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
        conn.execute(
            update(table)
            .where(table.c.id == bindparam("key_id"))
            .values({name: bindparam(name) for name in columns if name != "key_id"}),
            list(rows[start:end]),
        )
        start = end


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
        "codes": list(it.codes),
        "ended_at": it.ended_at,
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
    }


def _case_row(account_id: str, case: Case) -> dict[str, Any]:
    return {
        "id": case.id,
        "account_id": account_id,
        "kind": case.kind,
        "opened_at": case.opened_at,
        "generation": case.generation,
        "deadlines": [
            [d.level, d.role, d.person_id, None if d.due_at is None else _text(d.due_at)]
            for d in case.deadlines
        ],
        "market_region": case.market_region,
        "market_segment": case.market_segment,
        "plan_number": case.plan_number,
    }


def _text(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


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
    """Put a registration's contacts in place of its former ones."""
    for registration_id, entries in contacts.items():
        conn.execute(
            delete(registration_contact).where(
                registration_contact.c.registration_id == registration_id
            )
        )
        if entries:
            conn.execute(
                insert(registration_contact),
                [
                    {"registration_id": registration_id, "position": position, **entry}
                    for position, entry in enumerate(entries)
                ],
            )


def due_accounts(
    conn: Connection, now: datetime, released: Mapping[str, datetime], limit: int
) -> list[str]:
    """Accounts on which a protection is over and no sweep has said so, the longest overdue first.

    ``released`` names partners whose suspension has ended their protections, and since when.
    """
    over = claim.c.protected_until <= now
    for partner_id, since in sorted(released.items()):
        over = or_(over, (claim.c.partner_id == partner_id) & (claim.c.protected_from < since))
    rows = conn.execute(
        select(claim.c.account_id, func.min(claim.c.protected_until).label("due"))
        .where(text("claim.state IN ('protected', 'extended')"), over)
        .group_by(claim.c.account_id)
        .order_by("due", claim.c.account_id)
        .limit(limit)
    )
    return [row.account_id for row in rows]


def account_of(conn: Connection, registration_ids: Collection[str]) -> dict[str, str]:
    """Registration id -> account id, for those that exist."""
    if not registration_ids:
        return {}
    rows = conn.execute(
        select(registration.c.id, registration.c.account_id).where(
            among(conn, registration.c.id, registration_ids)
        )
    )
    return {row.id: row.account_id for row in rows}

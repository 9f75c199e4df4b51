"""Reads of cases, as they stand now. Call after a sweep, so that stored states are the present ones.

Must not write.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, text

from dealreg_registration import account_rows
from dealreg_registration.case_rows import asked_in, case_from
from dealreg_registration.case_views import (
    case_view,
    filed_view,
    level_view,
    party_view,
    question_view,
)
from dealreg_registration.domain.account import Claim
from dealreg_registration.domain.case import Case
from dealreg_registration.precedent_reading import precedents_of, precedents_view
from dealreg_registration.programme import Programme
from dealreg_registration.tables_accounts import (
    account,
    account_key,
    case_entry,
    claim,
    conflict,
    conflict_claim,
    decision,
    registration,
)
from dealreg_registration.tables_programme import audit, delegation
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.db import app_now
from dealreg_shared.db.among import among
from dealreg_shared.web.paging import Position, after, page


def conflict_page(
    conn: Connection, state: str | None, kind: str | None, cursor: str | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Cases, the newest first, for staff."""
    query = select(conflict)
    if state is not None:
        query = query.where(conflict.c.state == state)
    if kind is not None:
        query = query.where(conflict.c.kind == kind)
    rows = conn.execute(
        after(query, conflict.c.opened_at, conflict.c.id, cursor, limit, descending=True)
    ).all()
    shown, following = page(rows, limit, lambda row: Position(row.opened_at, row.id))
    return _cases(conn, shown), following


def conflict_detail(
    conn: Connection, programme: Programme, conflict_id: str
) -> dict[str, Any] | None:
    """All that one needs to settle a case, for staff: what each side filed, how the rules came to it,
    who may act now, what was done, and which similar cases were ruled how."""
    row = conn.execute(select(conflict).where(conflict.c.id == conflict_id)).one_or_none()
    if row is None:
        return None
    [view] = _cases(conn, [row])
    now = app_now(conn)
    claims = _members(conn, [conflict_id]).get(conflict_id, [])
    case = case_from(row, [member.id for member in claims])
    registrations = {member.registration_id for member in claims}
    return view | {
        "other_account": _other_account(conn, row.other_account_id),
        "filed": _filed(conn, registrations),
        "trace": _traces(conn, registrations),
        "protection": [
            {
                "product_line": member.product_line,
                "claim_id": member.id,
                "partner_id": member.partner_id,
                "from": format_instant(member.protected_from),
                "until": format_instant(member.protected_until),
            }
            for member in claims
            if member.holds and member.protected_from and member.protected_until
        ],
        "levels": _levels(conn, case, now),
        **precedents_view(precedents_of(conn, programme, conflict_id)),
        "history": history(conn, conflict_id),
    }


def is_party(conn: Connection, conflict_id: str, partner_id: str) -> bool:
    """Whether a partner has a claim in a case. Asked before anything else, so that a case of others
    answers as fast as none."""
    mine = (
        select(claim.c.id)
        .join(conflict_claim, conflict_claim.c.claim_id == claim.c.id)
        .where(conflict_claim.c.conflict_id == conflict_id, claim.c.partner_id == partner_id)
        .limit(1)
    )
    return conn.execute(mine).first() is not None


def party_detail(conn: Connection, conflict_id: str, partner_id: str) -> dict[str, Any] | None:
    """A case as a partner that is a party sees it; None if it is none, or there is no such case."""
    if not is_party(conn, conflict_id, partner_id):
        return None
    row = conn.execute(select(conflict).where(conflict.c.id == conflict_id)).one()
    claims = _members(conn, [conflict_id]).get(conflict_id, [])
    texts = {entry.id: entry.text for entry in _entries(conn, conflict_id)}
    case = case_from(row, [member.id for member in claims])
    return party_view(case, claims, partner_id, texts)


def questions(
    conn: Connection, partner_id: str, cursor: str | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """What a partner was asked about cases, the newest first. Erased questions are not shown."""
    query = (
        select(case_entry, conflict.c.details, conflict.c.state)
        .join(conflict, conflict.c.id == case_entry.c.conflict_id)
        .where(
            # Written out, as the index is: a parameter might be another kind.
            text("case_entry.kind = 'question'"),
            case_entry.c.text.is_not(None),
            case_entry.c.partner_id == partner_id,
        )
    )
    rows = conn.execute(
        after(query, case_entry.c.at, case_entry.c.id, cursor, limit, descending=True)
    ).all()
    shown, following = page(rows, limit, lambda row: Position(row.at, row.id))
    return [question_view(row, asked_in(row.details, row.id)) for row in shown], following


def history(conn: Connection, conflict_id: str) -> list[dict[str, Any]]:
    """What was done, oldest first, with what people wrote unless it was erased."""
    texts = {entry.id: entry for entry in _entries(conn, conflict_id)}
    entries = []
    for row in conn.execute(
        select(audit).where(audit.c.subject == conflict_id).order_by(audit.c.id)
    ):
        written = texts.pop(row.detail.get("entry") or "", None)
        entries.append(
            {
                "at": format_instant(row.at),
                "actor": row.actor,
                "action": row.action,
                "text": None if written is None else written.text,
                "detail": row.detail,
            }
        )
    entries += [_text_view(entry) for entry in texts.values()]
    return sorted(entries, key=lambda entry: str(entry["at"]))


def _entries(conn: Connection, conflict_id: str) -> Sequence[Row[Any]]:
    return conn.execute(
        select(case_entry)
        .where(case_entry.c.conflict_id == conflict_id)
        .order_by(case_entry.c.at, case_entry.c.id)
    ).all()


def _text_view(entry: Row[Any]) -> dict[str, Any]:
    return {
        "at": format_instant(entry.at),
        "actor": entry.actor,
        "action": f"conflict.{entry.kind}",
        "text": entry.text,
        "detail": {"entry": entry.id, "registration": entry.registration_id},
    }


def _other_account(conn: Connection, account_id: str | None) -> dict[str, Any] | None:
    """In a possible duplicate, the account that may be the same one, and the keys that name it."""
    if account_id is None:
        return None
    keys = select(account_key.c.key).where(account_key.c.account_id == account_id)
    return {
        "id": account_id,
        "name": conn.execute(select(account.c.name).where(account.c.id == account_id)).scalar_one(),
        "keys": list(conn.execute(keys.order_by(account_key.c.key)).scalars()),
    }


def _filed(conn: Connection, ids: Iterable[str]) -> list[dict[str, Any]]:
    rows = conn.execute(
        select(registration)
        .where(among(conn, registration.c.id, ids))
        .order_by(registration.c.filed_at, registration.c.id)
    )
    return [filed_view(row) for row in rows]


def _traces(conn: Connection, ids: Iterable[str]) -> list[dict[str, Any]]:
    rows = conn.execute(
        select(decision).where(among(conn, decision.c.registration_id, ids)).order_by(decision.c.id)
    )
    return [
        {
            "registration_id": row.registration_id,
            "at": format_instant(row.decided_at),
            "kind": row.kind,
            "plan_number": row.plan_number,
            "rule_book": row.rule_book,
            "result": row.result,
        }
        for row in rows
    ]


def _levels(conn: Connection, case: Case, now: datetime) -> list[dict[str, Any]]:
    persons = {d.person_id for d in case.deadlines if d.person_id is not None}
    stand_ins: dict[str, list[str]] = {}
    for row in conn.execute(
        select(delegation.c.person_id, delegation.c.delegate_id)
        .where(
            among(conn, delegation.c.person_id, persons),
            delegation.c.begins <= now,
            delegation.c.ends > now,
        )
        .order_by(delegation.c.id)
    ):
        stand_ins.setdefault(row.person_id, []).append(row.delegate_id)
    return [
        level_view(case, deadline, stand_ins.get(deadline.person_id or "", []), now)
        for deadline in case.deadlines
    ]


def _members(conn: Connection, conflict_ids: Iterable[str]) -> Mapping[str, list[Claim]]:
    """Case id -> its claims, in the order in which they joined."""
    members: dict[str, list[Claim]] = {}
    joined = (
        select(conflict_claim.c.conflict_id, claim)
        .join(claim, claim.c.id == conflict_claim.c.claim_id)
        .where(among(conn, conflict_claim.c.conflict_id, conflict_ids))
        .order_by(conflict_claim.c.conflict_id, conflict_claim.c.position)
    )
    for row in conn.execute(joined):
        members.setdefault(row.conflict_id, []).append(account_rows.claim_from(row))
    return members


def _cases(conn: Connection, rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    if not rows:
        return []
    now = app_now(conn)
    members = _members(conn, {row.id for row in rows})
    names = dict(
        conn.execute(
            select(account.c.id, account.c.name).where(
                among(conn, account.c.id, {row.account_id for row in rows})
            )
        )
        .tuples()
        .all()
    )
    views = []
    for row in rows:
        claims = members.get(row.id, [])
        case = case_from(row, [c.id for c in claims])
        views.append(case_view(case, row.account_id, names[row.account_id], claims, now))
    return views

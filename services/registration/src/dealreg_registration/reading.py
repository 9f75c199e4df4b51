"""Reads: registrations and accounts as they stand now.

Every read settles in memory first, so that what is shown never depends on when a sweep ran. Must not
write.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Row,
    Select,
    Text,
    bindparam,
    exists,
    select,
    type_coerce,
)

from dealreg_registration import store
from dealreg_registration.commands import Actor
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.errors import NoPlanInForce
from dealreg_registration.domain.settle import settle
from dealreg_registration.programme import Programme
from dealreg_registration.receipting import kept_view
from dealreg_registration.referral_reading import passed_details
from dealreg_registration.tables_accounts import (
    account,
    account_key,
    claim,
    correspondence,
    decision,
    registration,
    registration_contact,
)
from dealreg_registration.tables_programme import audit
from dealreg_registration.views import (
    account_view,
    correspondence_view,
    present_view,
)
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.db import app_now
from dealreg_shared.db.among import rows_among
from dealreg_shared.web.paging import Position, after, page

TO_DO = {
    "confirm_offer": "offered_until",
    "give_information": "information_due",
    "show_activity": "idle_release_at",
    "decide_extension": "extension_asked",
}
"""What somebody must do about a claim -> the flag that says so. The last one is for staff."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which registrations. None is any."""

    partner_id: str | None = None
    account_id: str | None = None
    state: str | None = None
    product_line: str | None = None
    result: str | None = None
    filed_from: datetime | None = None
    filed_before: datetime | None = None
    to_do: str | None = None


def _visible(query: Select[Any], actor: Actor) -> Select[Any]:
    """Of registrations, those that the actor may see. The database looks: what is another's then costs
    no more time than what does not exist."""
    return query if actor.staff else query.where(registration.c.partner_id == actor.partner_id)


_ITS: BindParameter[str] = bindparam("registration")
_ANY = select(registration).where(registration.c.id == _ITS)
_OWN = _ANY.where(registration.c.partner_id == bindparam("partner"))
_CONTACTS, _CORRESPONDENCE, _DECISIONS = (
    select(table).where(table.c.registration_id == _ITS).order_by(table.c[order])
    for table, order in (
        (registration_contact, "position"),
        (correspondence, "id"),
        (decision, "id"),
    )
)


def registration_detail(
    conn: Connection, programme: Programme, registration_id: str, actor: Actor
) -> dict[str, Any] | None:
    """One registration with its claims, receipt and (for staff) contacts and decisions; None if there is
    none that the actor may see."""
    its = {"registration": registration_id}
    row = conn.execute(
        _ANY if actor.staff else _OWN, its | {"partner": actor.partner_id}
    ).one_or_none()
    if row is None:
        return None
    [view] = _present(conn, programme, [row], actor)
    contacts = conn.execute(_CONTACTS, its)
    view |= {
        "external_reference": row.external_reference,
        "evidence": row.evidence,
        "tags": row.tags if actor.staff or _told(conn, row) else [],
        "filed_by": row.filed_by,
        "contacts": [{"name": c.name, "email": c.email, "phone": c.phone} for c in contacts],
    }
    view["correspondence"] = [
        correspondence_view(entry, actor) for entry in conn.execute(_CORRESPONDENCE, its)
    ]
    if actor.staff:
        view["matched_by"] = row.matched_by
        view["decisions"] = [
            {
                "at": format_instant(made.decided_at),
                "kind": made.kind,
                "plan_number": made.plan_number,
                "rule_book": made.rule_book,
                "inputs": made.inputs,
                "result": made.result,
            }
            for made in conn.execute(_DECISIONS, its)
        ]
    return view


def _told(conn: Connection, row: Row[Any]) -> bool:
    """Whether the tags are its partner's own words, or have passed to it by the referrer's consent."""
    return row.referred_by is None or passed_details(conn, row.id)


def registration_page(
    conn: Connection,
    programme: Programme,
    chosen: Filter,
    cursor: str | None,
    limit: int,
    actor: Actor,
) -> tuple[list[dict[str, Any]], str | None]:
    """The newest first. Call after a sweep, so that stored states are the present ones."""
    query = _filtered(select(registration), chosen)
    rows = conn.execute(
        after(query, registration.c.filed_at, registration.c.id, cursor, limit, descending=True)
    ).all()
    shown, following = page(rows, limit, lambda row: Position(row.filed_at, row.id))
    return _present(conn, programme, shown, actor), following


def _filtered(query: Select[Any], chosen: Filter) -> Select[Any]:
    columns = registration.c
    if chosen.partner_id is not None:
        query = query.where(columns.partner_id == chosen.partner_id)
    if chosen.account_id is not None:
        query = query.where(columns.account_id == chosen.account_id)
    if chosen.result is not None:
        query = query.where(columns.result == chosen.result)
    if chosen.filed_from is not None:
        query = query.where(columns.filed_at >= chosen.filed_from)
    if chosen.filed_before is not None:
        query = query.where(columns.filed_at < chosen.filed_before)
    if chosen.to_do is not None:
        flagged = type_coerce(claim.c.flags, Text).like(f'%"{TO_DO[chosen.to_do]}"%')
        query = query.where(columns.id.in_(select(claim.c.registration_id).where(flagged)))
    if chosen.state is not None or chosen.product_line is not None:
        found = exists().where(claim.c.registration_id == columns.id)
        if chosen.state is not None:
            found = found.where(claim.c.state == chosen.state)
        if chosen.product_line is not None:
            found = found.where(claim.c.product_line == chosen.product_line)
        query = query.where(found)
    return query


def _present(
    conn: Connection, programme: Programme, rows: Sequence[Row[Any]], actor: Actor
) -> list[dict[str, Any]]:
    if not rows:
        return []
    now = app_now(conn)
    book, standing = programme.current(conn)
    plan = book.at(now)
    if plan is None:
        raise NoPlanInForce("No plan is in force yet; publish one first.")
    context = Context(plan, standing, now)
    ids = {row.id for row in rows}
    accounts = rows_among(conn, account.c.id, (row.account_id for row in rows)).all()
    loaded = store.read_accounts(conn, accounts, ids)
    for item in loaded.values():
        settle(item.account, book, standing, now)
    views = []
    for row in rows:
        item = loaded[row.account_id]
        it = item.account
        view = present_view(it, it.registrations[row.id], context, actor, item.reasons)
        view["receipt"] = kept_view(row)
        views.append(view)
    return views


def timeline(conn: Connection, registration_id: str, actor: Actor) -> list[dict[str, Any]] | None:
    """What happened to a registration, oldest first; for a partner in words that name no rival."""
    seen = _visible(select(registration.c.id), actor).where(registration.c.id == registration_id)
    if conn.execute(seen).one_or_none() is None:
        return None
    entries = conn.execute(
        select(audit).where(audit.c.subject == registration_id).order_by(audit.c.id)
    )
    return [_timeline_entry(entry, actor) for entry in entries]


_OF_ITSELF = {
    "referral_returned",
    "term_over",
    "former_ended",
    "line_won",
    "standby_off",
    "partner_suspended",
    "offered",
    "offer_lapsed",
    "information_lapsed",
    "expiring",
    "idle_warned",
    "idle",
}
"""Causes of a claim's step that are the rules' doing, whoever's act came before."""


def _timeline_entry(entry: Row[Any], actor: Actor) -> dict[str, Any]:
    detail = entry.detail
    view = {
        "at": format_instant(entry.at),
        "action": entry.action,
        "product_line": detail.get("line"),
        "reasons": detail.get("reasons", []),
    }
    if actor.staff:
        return view | {"actor": entry.actor, "detail": detail}
    if detail.get("cause") in _OF_ITSELF or entry.actor == "system":
        return view | {"by": "system"}
    by = "you" if entry.actor == actor.id else "vendor"
    return view | {"by": by}


def account_page(
    conn: Connection,
    programme: Programme,
    key: str | None,
    cursor: str | None,
    limit: int,
) -> tuple[list[dict[str, Any]], str | None]:
    """Accounts by id, for staff; ``key`` finds the one that holds it."""
    query = select(account)
    if key is not None:
        query = query.where(
            account.c.id.in_(select(account_key.c.account_id).where(account_key.c.key == key))
        )
    rows = conn.execute(after(query, account.c.created_at, account.c.id, cursor, limit)).all()
    shown, following = page(rows, limit, lambda row: Position(row.created_at, row.id))
    return account_views(conn, programme, shown), following


def account_detail(
    conn: Connection, programme: Programme, account_ids: Collection[str]
) -> list[dict[str, Any]]:
    rows = rows_among(conn, account.c.id, account_ids).all()
    return account_views(conn, programme, rows)


def account_views(
    conn: Connection, programme: Programme, rows: Sequence[Row[Any]]
) -> list[dict[str, Any]]:
    if not rows:
        return []
    now = app_now(conn)
    book, standing = programme.current(conn)
    loaded = store.read_accounts(conn, rows)
    views = []
    for row in rows:
        item = loaded[row.id]
        settle(item.account, book, standing, now)
        views.append(account_view(item.account, item.created_at))
    return views

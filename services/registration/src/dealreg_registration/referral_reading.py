"""Reads of referrals. Call after a sweep, so that stored states are the present ones."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, select

from dealreg_registration.account_rows import registration_from
from dealreg_registration.commands import Actor
from dealreg_registration.domain.errors import NoPlanInForce
from dealreg_registration.domain.referral import Referral
from dealreg_registration.programme import Programme
from dealreg_registration.referral_rows import referral_from
from dealreg_registration.referral_views import referral_view
from dealreg_registration.tables_accounts import account, registration, registration_contact
from dealreg_registration.tables_referrals import referral
from dealreg_shared.db import app_now
from dealreg_shared.db.among import among
from dealreg_shared.web.paging import Position, after, page


def _visible(actor: Actor) -> ColumnElement[bool]:
    """Partners see what is offered to them, and what of theirs is referred."""
    own = actor.partner_id
    return or_(
        (referral.c.target_kind == "partner") & (referral.c.target_id == own),
        referral.c.referrer_id == own,
    )


def referral_page(
    conn: Connection,
    programme: Programme,
    state: str | None,
    cursor: str | None,
    limit: int,
    actor: Actor,
) -> tuple[list[dict[str, Any]], str | None]:
    """The newest first."""
    query = select(referral)
    if not actor.staff:
        query = query.where(_visible(actor))
    if state is not None:
        query = query.where(referral.c.state == state)
    rows = conn.execute(
        after(query, referral.c.offered_at, referral.c.id, cursor, limit, descending=True)
    ).all()
    shown, following = page(rows, limit, lambda row: Position(row.offered_at, row.id))
    return _views(conn, programme, [referral_from(row) for row in shown], actor), following


def find_referral(conn: Connection, referral_id: str, actor: Actor) -> Referral | None:
    """One that the actor may see."""
    query = select(referral).where(referral.c.id == referral_id)
    if not actor.staff:
        query = query.where(_visible(actor))
    row = conn.execute(query).one_or_none()
    return None if row is None else referral_from(row)


def referral_detail(
    conn: Connection, programme: Programme, referral_id: str, actor: Actor
) -> dict[str, Any] | None:
    found = find_referral(conn, referral_id, actor)
    return None if found is None else _views(conn, programme, [found], actor)[0]


def passed_details(conn: Connection, registration_id: str) -> bool:
    """Whether the referrer let its details pass to the target that made this registration of it."""
    consent = select(referral.c.consent_at).where(
        referral.c.taken_registration_id == registration_id, referral.c.consent_at.is_not(None)
    )
    return conn.execute(consent).first() is not None


def _views(
    conn: Connection, programme: Programme, referrals: list[Referral], actor: Actor
) -> list[dict[str, Any]]:
    if not referrals:
        return []
    book, _ = programme.current(conn)
    plan = book.at(app_now(conn))
    if plan is None:
        raise NoPlanInForce("No plan is in force yet; publish one first.")
    ids = {it.registration_id for it in referrals}
    rows = conn.execute(
        select(registration, account.c.facts)
        .join(account, account.c.id == registration.c.account_id)
        .where(among(conn, registration.c.id, ids))
    )
    sources = {row.id: row for row in rows}
    contacts: dict[str, list[dict[str, Any]]] = {}
    passed = {it.registration_id for it in referrals if it.consent_at is not None}
    if passed:
        for row in conn.execute(
            select(registration_contact)
            .where(among(conn, registration_contact.c.registration_id, passed))
            .order_by(registration_contact.c.registration_id, registration_contact.c.position)
        ):
            contacts.setdefault(row.registration_id, []).append(
                {"name": row.name, "email": row.email, "phone": row.phone}
            )
    return [
        referral_view(
            it,
            registration_from(sources[it.registration_id]),
            sources[it.registration_id].facts.get("country"),
            plan,
            actor,
            contacts=contacts.get(it.registration_id, ()),
            evidence=sources[it.registration_id].evidence,
        )
        for it in referrals
    ]

"""Make, revoke and list API keys.

A key is shown once, when it is made, and stored as a hash. Keys expire and are revoked in real time,
also where business time is simulated; the instants come from the caller, who holds the real clock.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from dealreg_registration.domain.programme_errors import KeyNotAllowed, KeyNotFound, LastAdminKey
from dealreg_registration.programme_store import lock_programme, write_audit
from dealreg_registration.tables_programme import access_key, person
from dealreg_shared.auth import keys, put_access
from dealreg_shared.contracts.people import AccessKeyUpdated, Role
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import app_now
from dealreg_shared.outbox import Outbox, Outgoing

IN_PERSON: frozenset[Role] = frozenset({"partner_manager", "vp", "ceo", "reviewer"})
"""Roles that act in a person's name: a ruling needs to say whose it is."""

DEFAULT_LIFE = timedelta(days=365)
DEFAULT_LIMIT = 600


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """For whom a key is made."""

    role: Role
    partner_id: str | None = None
    person_id: str | None = None
    expires_at: datetime | None = None
    requests_per_minute: int = DEFAULT_LIMIT


def create_key(
    conn: Connection,
    request: KeyRequest,
    now: datetime,
    *,
    partners: Collection[str],
    outbox: Outbox,
    actor: str,
    correlation_id: str,
) -> tuple[AccessKeyUpdated, str]:
    """A new key and its secret, which is stored nowhere. ``partners`` are the ids that exist.

    Raises ``KeyNotAllowed`` when role, partner and person do not go together.
    """
    _check(conn, request, now, partners)
    new = keys.new_key()
    access = AccessKeyUpdated(
        key_id=new.key_id,
        key_hash=new.key_hash,
        role=request.role,
        partner_id=request.partner_id,
        person_id=request.person_id,
        expires_at=request.expires_at or now + DEFAULT_LIFE,
        requests_per_minute=request.requests_per_minute,
    )
    _store(conn, access, "key.created", outbox, actor, correlation_id)
    crashpoint("key.made")
    return access, new.secret


def _check(conn: Connection, request: KeyRequest, now: datetime, partners: Collection[str]) -> None:
    if (request.role == "partner") != (request.partner_id is not None):
        raise KeyNotAllowed("A partner's key names its partner_id; a key of staff does not.")
    if request.partner_id is not None and request.partner_id not in partners:
        raise KeyNotAllowed("No plan in force has a partner with this partner_id.")
    if request.role in IN_PERSON and request.person_id is None:
        raise KeyNotAllowed(f"A key of role {request.role} names the person_id who acts with it.")
    if request.expires_at is not None and request.expires_at <= now:
        raise KeyNotAllowed("expires_at has passed already.")
    if request.person_id is None:
        return
    row = conn.execute(
        select(person).where(person.c.id == request.person_id, person.c.erased_at.is_(None))
    ).first()
    if row is None:
        raise KeyNotAllowed("No person has this person_id.")
    if request.role in IN_PERSON and request.role not in row.roles:
        raise KeyNotAllowed(f"This person does not have the role {request.role}.")
    if request.role == "partner" and row.partner_id != request.partner_id:
        raise KeyNotAllowed("This person is no contact of the partner.")


def revoke_key(
    conn: Connection,
    key_id: str,
    now: datetime,
    *,
    outbox: Outbox,
    actor: str,
    correlation_id: str,
) -> AccessKeyUpdated:
    """Revoke a key; doing it again changes nothing. Raises ``KeyNotFound``, ``LastAdminKey``."""
    lock_programme(conn)  # or two admins could revoke each other's key, the last two, at once
    row = (
        conn.execute(select(access_key).where(access_key.c.key_id == key_id).with_for_update())
        .mappings()
        .first()
    )
    if row is None:
        raise KeyNotFound("No key has this id.")
    access = AccessKeyUpdated(**row)
    if access.revoked_at is not None:
        return access
    if access.role == "admin" and access.expires_at > now and admin_keys(conn, now) <= 1:
        raise LastAdminKey("This is the last admin key that works; make another one first.")
    revoked = access.model_copy(update={"revoked_at": now})
    _store(conn, revoked, "key.revoked", outbox, actor, correlation_id)
    crashpoint("key.revoked")
    return revoked


def admin_keys(conn: Connection, now: datetime) -> int:
    """How many admin keys work."""
    return conn.execute(
        select(func.count())
        .select_from(access_key)
        .where(
            access_key.c.role == "admin",
            access_key.c.revoked_at.is_(None),
            access_key.c.expires_at > now,
        )
    ).scalar_one()


def ensure_admin_key(conn: Connection, now: datetime, *, outbox: Outbox) -> str | None:
    """The secret of a first admin key, made if no admin key works; None where one does.

    ``now`` is real time. Show the secret once and keep it nowhere.
    """
    lock_programme(conn)
    if admin_keys(conn, now):
        return None
    _, secret = create_key(
        conn,
        KeyRequest("admin"),
        now,
        partners=(),
        outbox=outbox,
        actor="system",
        correlation_id="first-admin-key",
    )
    return secret


def _store(
    conn: Connection,
    access: AccessKeyUpdated,
    action: str,
    outbox: Outbox,
    actor: str,
    correlation_id: str,
) -> None:
    put_access(conn, access)
    crashpoint("key.stored")
    at = app_now(conn)
    outbox.append(
        conn,
        [
            Outgoing(
                "dealreg.access.key-updated.v1",
                access.key_id,
                access.key_id,
                access,
                correlation_id,
            )
        ],
        at,
    )
    write_audit(
        conn,
        at,
        actor,
        action,
        access.key_id,
        {
            "role": access.role,
            "partner_id": access.partner_id,
            "person_id": access.person_id,
        },
    )

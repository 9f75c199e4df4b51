"""Endpoints as rows: who owns them, what goes to them, their secrets, their state and their log.

Functions of a connection, inside the caller's transaction. Must not send anything. The only place that
reads or writes an endpoint's URL and secrets.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping, Select, delete, func, or_, select, update

from dealreg_notifier.channels.port import Exchange, Place
from dealreg_notifier.channels.webhook import NAME as WEBHOOK
from dealreg_notifier.channels.webhook import new_secret
from dealreg_notifier.domain.errors import NoSuchEndpoint, TooManyEndpoints
from dealreg_notifier.domain.preferences import group_of
from dealreg_notifier.tables import (
    access,
    delivery,
    delivery_attempt,
    endpoint,
    endpoint_secret,
    person,
)
from dealreg_shared.db.among import among_given, listed, rows_among
from dealreg_shared.db.bulk import insert_rows
from dealreg_shared.ids import new_id

PARTNER = "partner:"
ROLE = "role:"
PROGRAMME = "programme"
PREFIX = "whk_"

MOST = 20
"""Endpoints of one owner."""


@dataclass(frozen=True, slots=True)
class New:
    """An endpoint to be made."""

    kind: str
    owner: str
    url: str = field(repr=False)
    description: str
    notices: tuple[str, ...] | None
    created_by: str
    private: bool = False


@dataclass(frozen=True, slots=True)
class Wanting:
    """An endpoint that may want a notice."""

    endpoint_id: str
    kind: str
    owner: str
    notices: tuple[str, ...] | None

    def wants(self, kind: str) -> bool:
        """Whether notices of this kind go there."""
        return self.notices is None or kind in self.notices or group_of(kind) in self.notices


def create(conn: Connection, new: New, now: datetime) -> tuple[str, str | None]:
    """Id and, of a webhook, the secret. Raises ``TooManyEndpoints``."""
    held = conn.execute(
        select(func.count()).select_from(endpoint).where(endpoint.c.owner == new.owner)
    ).scalar_one()
    if held >= MOST:
        raise TooManyEndpoints(f"an owner has at most {MOST} endpoints; delete one first")
    endpoint_id = new_id("whk")
    conn.execute(
        endpoint.insert().values(
            endpoint_id=endpoint_id,
            kind=new.kind,
            owner=new.owner,
            url=new.url,
            description=new.description,
            notices=None if new.notices is None else list(new.notices),
            private=new.private,
            enabled=True,
            created_by=new.created_by,
            created_at=now,
        )
    )
    return endpoint_id, _put_secret(conn, endpoint_id, now) if new.kind == WEBHOOK else None


def one(conn: Connection, endpoint_id: str, owners: Collection[str] | None = None) -> RowMapping:
    """An endpoint of these owners, or of anybody's. Raises ``NoSuchEndpoint``."""
    query = select(endpoint).where(endpoint.c.endpoint_id == endpoint_id)
    if owners is not None:
        query = query.where(endpoint.c.owner.in_(owners))
    row = conn.execute(query).mappings().first()
    if row is None:
        raise NoSuchEndpoint("there is no such endpoint, or none that you may see")
    return row


def change(conn: Connection, endpoint_id: str, values: Mapping[str, Any]) -> None:
    """Overwrite these columns. Switching on forgives what failed before."""
    written = dict(values)
    if written.get("enabled"):
        written |= {"off_reason": None, "off_at": None, "failing_since": None}
    if "url" in written:
        written["failing_since"] = None
    if written:
        conn.execute(update(endpoint).where(endpoint.c.endpoint_id == endpoint_id).values(written))


def remove(conn: Connection, endpoint_ids: Collection[str]) -> None:
    """These endpoints with their secrets, deliveries and log."""
    ids = list(endpoint_ids)
    conn.execute(delete(delivery_attempt).where(delivery_attempt.c.endpoint_id.in_(ids)))
    conn.execute(delete(delivery).where(delivery.c.recipient.in_(ids)))
    conn.execute(delete(endpoint_secret).where(endpoint_secret.c.endpoint_id.in_(ids)))
    conn.execute(delete(endpoint).where(endpoint.c.endpoint_id.in_(ids)))


def remove_of(conn: Connection, owner: str) -> None:
    """The owner is erased."""
    found = conn.execute(select(endpoint.c.endpoint_id).where(endpoint.c.owner == owner))
    remove(conn, list(found.scalars()))


def rotate(conn: Connection, endpoint_id: str, until: datetime, now: datetime) -> str:
    """A new secret. The one before signs beside it until ``until``, any older one no longer."""
    mine = endpoint_secret.c.endpoint_id == endpoint_id
    conn.execute(delete(endpoint_secret).where(mine, endpoint_secret.c.ends_at.is_not(None)))
    conn.execute(update(endpoint_secret).where(mine).values(ends_at=until))
    return _put_secret(conn, endpoint_id, now)


def _put_secret(conn: Connection, endpoint_id: str, now: datetime) -> str:
    secret = new_secret()
    conn.execute(
        endpoint_secret.insert().values(
            secret_id=new_id("sec"), endpoint_id=endpoint_id, secret=secret, created_at=now
        )
    )
    return secret


def secret_ends(conn: Connection, endpoint_ids: Collection[str]) -> dict[str, datetime]:
    """When the replaced secret of these endpoints ends, where there is one."""
    rows = conn.execute(
        select(endpoint_secret.c.endpoint_id, endpoint_secret.c.ends_at).where(
            endpoint_secret.c.endpoint_id.in_(set(endpoint_ids)),
            endpoint_secret.c.ends_at.is_not(None),
        )
    )
    return {row.endpoint_id: row.ends_at for row in rows}


def places(conn: Connection, endpoint_ids: Collection[str], now: datetime) -> dict[str, Place]:
    """Where to post, with the secrets that are live at ``now``, the newest first."""
    ids = set(endpoint_ids)
    if not ids:
        return {}
    live: dict[str, list[str]] = {}
    for row in conn.execute(
        select(endpoint_secret.c.endpoint_id, endpoint_secret.c.secret)
        .where(
            endpoint_secret.c.endpoint_id.in_(ids),
            or_(endpoint_secret.c.ends_at.is_(None), endpoint_secret.c.ends_at > now),
        )
        .order_by(endpoint_secret.c.created_at.desc(), endpoint_secret.c.secret_id.desc())
    ):
        live.setdefault(row.endpoint_id, []).append(row.secret)
    rows = conn.execute(
        select(
            endpoint.c.endpoint_id, endpoint.c.url, endpoint.c.enabled, endpoint.c.private
        ).where(endpoint.c.endpoint_id.in_(ids))
    )
    return {
        row.endpoint_id: Place(
            row.endpoint_id,
            row.url,
            tuple(live.get(row.endpoint_id, ())),
            row.enabled,
            row.private,
        )
        for row in rows
    }


def wanting(conn: Connection, recipients: Collection[str]) -> dict[str, list[Wanting]]:
    """Recipient -> the enabled endpoints of its own, of its roles, and of all staff."""
    staff = {recipient for recipient in recipients if not recipient.startswith(PARTNER)}
    query = _enabled(conn.dialect.name, bool(staff))
    rows = conn.execute(query, {"owners": listed(recipients)}).mappings()
    found = [
        Wanting(
            row["endpoint_id"],
            row["kind"],
            row["owner"],
            None if row["notices"] is None else tuple(row["notices"]),
        )
        for row in rows
    ]
    if not found:
        return {}
    roles = _roles(conn, staff)
    return {
        recipient: [
            each
            for each in found
            if each.owner == recipient
            or (recipient in staff and each.owner in (PROGRAMME, *roles.get(recipient, ())))
        ]
        for recipient in recipients
    }


@cache
def _enabled(dialect: str, staff: bool) -> Select[Any]:
    owned = among_given(dialect, endpoint.c.owner, "owners")
    of_staff = or_(endpoint.c.owner == PROGRAMME, endpoint.c.owner.startswith(ROLE))
    return (
        select(endpoint)
        .where(endpoint.c.enabled, or_(owned, of_staff) if staff else owned)
        .order_by(endpoint.c.endpoint_id)
    )


def _roles(conn: Connection, person_ids: Collection[str]) -> dict[str, list[str]]:
    rows = rows_among(conn, person.c.person_id, person_ids, person.c.person_id, person.c.roles)
    return {row.person_id: [f"{ROLE}{role}" for role in row.roles] for row in rows}


def lock(conn: Connection, endpoint_ids: Collection[str], failed: Collection[str]) -> None:
    """Of these endpoints, lock those that failed now or before, in the order of their ids."""
    if endpoint_ids:
        conn.execute(
            select(endpoint.c.endpoint_id)
            .where(
                endpoint.c.endpoint_id.in_(endpoint_ids),
                or_(endpoint.c.endpoint_id.in_(failed), endpoint.c.failing_since.is_not(None)),
            )
            .order_by(endpoint.c.endpoint_id)
            .with_for_update()
        )


def succeeded(conn: Connection, endpoint_ids: Collection[str]) -> None:
    """These took something: what failed before is forgiven."""
    if endpoint_ids:
        conn.execute(
            update(endpoint)
            .where(endpoint.c.endpoint_id.in_(endpoint_ids), endpoint.c.failing_since.is_not(None))
            .values(failing_since=None)
        )


def failed(conn: Connection, place: Place, now: datetime) -> datetime:
    """Since when the endpoint has taken nothing. Its row is locked: what follows happens one by one."""
    endpoint_id = place.endpoint_id
    conn.execute(
        update(endpoint)
        .where(
            endpoint.c.endpoint_id == endpoint_id,
            endpoint.c.url == place.url,
            endpoint.c.failing_since.is_(None),
        )
        .values(failing_since=now)
    )
    query = select(endpoint.c.failing_since).where(endpoint.c.endpoint_id == endpoint_id)
    since: datetime | None = conn.execute(query).scalar_one_or_none()
    return since or now


def switch_off(conn: Connection, place: Place, reason: str, now: datetime) -> RowMapping | None:
    """The endpoint as it was, or None if it was off already, is gone, or is somewhere else by now: what
    its former URL answers says nothing about it."""
    endpoint_id = place.endpoint_id
    row = (
        conn.execute(
            select(endpoint)
            .where(
                endpoint.c.endpoint_id == endpoint_id,
                endpoint.c.url == place.url,
                endpoint.c.enabled,
            )
            .with_for_update()
        )
        .mappings()
        .first()
    )
    if row is not None:
        conn.execute(
            update(endpoint)
            .where(endpoint.c.endpoint_id == endpoint_id)
            .values(enabled=False, off_reason=reason, off_at=now)
        )
    return row


class Logged(NamedTuple):
    """An attempt to post to an endpoint, for the delivery log."""

    endpoint_id: str
    delivery_id: str
    attempt: int
    outcome: str
    exchange: Exchange | None
    error: str | None
    at: datetime


def log(conn: Connection, attempts: Iterable[Logged]) -> None:
    """A line of the delivery log for each attempt that was really made."""
    rows = [
        {
            "delivery_id": made.delivery_id,
            "attempt": made.attempt,
            "endpoint_id": made.endpoint_id,
            "at": made.at,
            "outcome": made.outcome,
            "status": made.exchange.status,
            "milliseconds": round(made.exchange.seconds * 1000),
            "sent_sha256": made.exchange.sent_sha256,
            "answer_sha256": made.exchange.answer_sha256,
            "error": made.error,
        }
        for made in attempts
        if made.exchange is not None
    ]
    insert_rows(conn, [(delivery_attempt, rows)])


def owners_admins(conn: Connection) -> list[str]:
    """People who answer for endpoints that belong to nobody in particular."""
    rows = conn.execute(
        select(person.c.person_id, person.c.roles)
        .where(~person.c.erased)
        .order_by(person.c.person_id)
    )
    return [row.person_id for row in rows if "admin" in row.roles]


def key_person(conn: Connection, key_id: str) -> str | None:
    """The person of the API key that made an endpoint."""
    found: str | None = conn.execute(
        select(access.c.person_id).where(access.c.key_id == key_id)
    ).scalar_one_or_none()
    return found


def recipients_of(conn: Connection, row: RowMapping) -> list[str]:
    """Who is told of what happens to this endpoint: its owner; of a programme's, whoever made it and
    the admins."""
    owner: str = row["owner"]
    if owner != PROGRAMME and not owner.startswith(ROLE):
        return [owner]
    maker = key_person(conn, row["created_by"])
    return sorted({*owners_admins(conn), *([maker] if maker else [])})

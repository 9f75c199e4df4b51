"""Deliveries as rows: claimed under a lease, recorded under a fence, retried on the database's clock.

The attempt number is the fence. A sender that was stopped in mid-send and comes back after its lease
writes nothing: its attempt is no longer the latest. Must not send anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, case, func, literal, or_, select, update

from dealreg_notifier import bounces, endpoints, storms, tables
from dealreg_notifier.channels.email import NAME as EMAIL
from dealreg_notifier.channels.port import Channel, Place
from dealreg_notifier.domain.errors import NoSuchDelivery, NotDead
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import UtcDateTime
from dealreg_shared.db.among import among

OPEN_STATES = ("pending", "sending")


@dataclass(frozen=True, slots=True)
class Carried:
    """A notice that travels in another's message."""

    notification_id: str
    kind: str
    title: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this process may send until its lease ends. Address fields may be unknown.

    ``others`` are the further notices in its message, in the order in which they were written.
    ``addressee`` is whom the notice is for; ``person_id`` who gets this delivery of it, a person or an
    endpoint. ``place``: where an endpoint is. ``bounced``: the address was refused for good before.
    """

    delivery_id: str
    attempt: int
    spent: int
    channel: str
    person_id: str
    name: str | None
    email: str | None
    language: str | None
    notification_id: str
    kind: str
    facts: Mapping[str, Any]
    title: str
    created_at: datetime
    correlation_id: str
    digest_at: datetime | None
    addressee: str
    subject: str
    text: str
    others: tuple[Carried, ...] = ()
    place: Place | None = None
    bounced: bool = False


def claim(
    conn: Connection,
    channels: Mapping[str, Channel],
    now: datetime,
    lease: timedelta,
    limit: int,
    most: int = 0,
) -> list[Claimed]:
    """Take due deliveries of these channels: never sent, to be retried, or left by a dead process.

    ``most`` messages of one group leave for a person within a minute; 0: no limit. Empty: nothing is due
    any more.
    """
    table = tables.delivery
    gathers = [name for name, channel in channels.items() if channel.gathers]
    storms.one_at_a_time(conn)
    while True:
        due = list(
            conn.execute(
                select(table)
                .where(
                    table.c.state.in_(OPEN_STATES),
                    table.c.channel.in_(sorted(channels)),
                    table.c.due_at <= now,
                    table.c.carried_by.is_(None),
                )
                .order_by(table.c.due_at, table.c.delivery_id)
                .limit(limit)
                .with_for_update(skip_locked=True)
            ).mappings()
        )
        if not due:
            return []
        mine = storms.gathered(conn, due, now, most, gathers)
        if mine:
            return _take(conn, mine, now, lease)


def _take(
    conn: Connection, delivery_ids: Sequence[str], now: datetime, lease: timedelta
) -> list[Claimed]:
    table, notice, person = tables.delivery, tables.notification, tables.person
    wish = tables.preference
    conn.execute(
        update(table)
        .where(
            or_(
                among(conn, table.c.delivery_id, delivery_ids),
                among(conn, table.c.carried_by, delivery_ids),
            )
        )
        .values(
            state="sending",
            attempt=table.c.attempt + 1,
            due_at=now + lease,
            begun_at=func.coalesce(table.c.begun_at, literal(now, UtcDateTime())),
            carries=case(
                (and_(table.c.carries == 0, table.c.carried_by.is_(None)), 1),
                else_=table.c.carries,
            ),
        )
    )
    rows = conn.execute(
        select(
            table.c.delivery_id,
            table.c.attempt,
            table.c.spent,
            table.c.channel,
            table.c.recipient.label("person_id"),
            table.c.digest_at,
            person.c.name,
            person.c.email,
            wish.c.language,
            notice.c.notification_id,
            notice.c.kind,
            notice.c.facts,
            notice.c.title,
            notice.c.created_at,
            notice.c.correlation_id,
            notice.c.recipient.label("addressee"),
            notice.c.subject,
            notice.c.text,
        )
        .select_from(
            table.join(notice)
            .outerjoin(person, person.c.person_id == table.c.recipient)
            .outerjoin(wish, wish.c.person_id == table.c.recipient)
        )
        .where(among(conn, table.c.delivery_id, delivery_ids))
    )
    others = _carried(conn, delivery_ids)
    claimed = rows.mappings().all()
    places = endpoints.places(
        conn,
        [row["person_id"] for row in claimed if row["person_id"].startswith(endpoints.PREFIX)],
        now,
    )
    refused = bounces.refused(
        conn,
        {
            row["person_id"]: row["email"]
            for row in claimed
            if row["channel"] == EMAIL and row["email"]
        },
    )
    by_id = {
        row["delivery_id"]: Claimed(
            **row,
            others=tuple(others.get(row["delivery_id"], ())),
            place=places.get(row["person_id"]),
            bounced=row["channel"] == EMAIL and row["person_id"] in refused,
        )
        for row in claimed
    }
    return [by_id[delivery_id] for delivery_id in delivery_ids]


def _carried(conn: Connection, delivery_ids: Sequence[str]) -> dict[str, list[Carried]]:
    table, notice = tables.delivery, tables.notification
    rows = conn.execute(
        select(
            table.c.carried_by,
            notice.c.notification_id,
            notice.c.kind,
            notice.c.title,
            notice.c.correlation_id,
        )
        .select_from(table.join(notice))
        .where(among(conn, table.c.carried_by, delivery_ids))
        .order_by(notice.c.created_at, notice.c.notification_id)
    )
    found: dict[str, list[Carried]] = {}
    for carried_by, *notice_row in rows:
        found.setdefault(carried_by, []).append(Carried(*notice_row))
    return found


def record(
    conn: Connection,
    claimed: Claimed,
    state: str,
    now: datetime,
    *,
    due_at: datetime | None = None,
    error: str | None = None,
) -> bool:
    """Write what became of an attempt. False: a later attempt, or an erasure, has overtaken it."""
    table = tables.delivery
    values: dict[str, Any] = {"state": state, "error": error}
    if due_at is not None:
        values["due_at"] = due_at
    else:
        values["ended_at"] = now
    changed = conn.execute(
        update(table)
        .where(
            table.c.delivery_id == claimed.delivery_id,
            table.c.attempt == claimed.attempt,
            table.c.state == "sending",
        )
        .values(values)
    ).rowcount
    if changed and claimed.others:
        conn.execute(
            update(table)
            .where(table.c.carried_by == claimed.delivery_id, table.c.state == "sending")
            .values(values)
        )
    return bool(changed)


def prolong(conn: Connection, claimed: Mapping[str, int], until: datetime) -> None:
    """The sender of these (delivery id -> attempt) is alive: nobody else takes what is being sent.

    Waits for nothing: what is locked is being recorded, or has been taken over.
    """
    table = tables.delivery
    mine = conn.execute(
        select(table.c.delivery_id, table.c.attempt)
        .where(among(conn, table.c.delivery_id, claimed), table.c.state == "sending")
        .with_for_update(skip_locked=True)
    )
    ids = [row.delivery_id for row in mine if row.attempt == claimed[row.delivery_id]]
    conn.execute(update(table).where(among(conn, table.c.delivery_id, ids)).values(due_at=until))


def record_delivered(conn: Connection, claimed: Sequence[Claimed], now: datetime) -> set[str]:
    """Write that these arrived. Returns those that no later attempt, and no erasure, has overtaken."""
    return _write_all(conn, claimed, {"state": "delivered", "error": None, "ended_at": now})


def give_back(conn: Connection, claimed: Sequence[Claimed], now: datetime) -> None:
    """These were claimed and not sent, unless somebody else has them by now. The attempt's number stays
    used, as it is the fence, but does not count."""
    spent = tables.delivery.c.spent + 1
    _write_all(conn, claimed, {"state": "pending", "spent": spent, "due_at": now})


def _write_all(conn: Connection, claimed: Sequence[Claimed], values: Mapping[str, Any]) -> set[str]:
    """Write to those whose attempt is still the latest, and to what they carry. Returns which."""
    table = tables.delivery
    attempts: dict[int, list[str]] = {}
    for item in claimed:
        attempts.setdefault(item.attempt, []).append(item.delivery_id)
    written: set[str] = set()
    for attempt, ids in attempts.items():  # mostly one: the first
        written.update(
            conn.execute(
                update(table)
                .where(
                    among(conn, table.c.delivery_id, ids),
                    table.c.attempt == attempt,
                    table.c.state == "sending",
                )
                .values(values)
                .returning(table.c.delivery_id)
            ).scalars()
        )
    leading = [item.delivery_id for item in claimed if item.others and item.delivery_id in written]
    if leading:
        conn.execute(
            update(table)
            .where(among(conn, table.c.carried_by, leading), table.c.state == "sending")
            .values(values)
        )
    return written


def hold_back(conn: Connection, endpoint_id: str, until: datetime, but: str) -> None:
    """Nothing else (``but`` this) is sent to a place that just failed, so that it is not knocked at in
    vain."""
    table = tables.delivery
    conn.execute(
        update(table)
        .where(
            table.c.recipient == endpoint_id,
            table.c.state == "pending",
            table.c.due_at < until,
            table.c.delivery_id != but,
        )
        .values(due_at=until)
    )


def cancel_for(conn: Connection, person_id: str, reason: str, now: datetime) -> None:
    """Nothing more is sent to this person, and no server's words about the address are kept."""
    table = tables.delivery
    conn.execute(
        update(table)
        .where(table.c.recipient == person_id, table.c.state.in_((*OPEN_STATES, "dead")))
        .values(state="cancelled", ended_at=now)
    )
    conn.execute(update(table).where(table.c.recipient == person_id).values(error=reason))


REVIVED = timedelta(days=7)
"""How old a refused notice may be to go to a new address."""


def revive(conn: Connection, person_id: str, channel: str, now: datetime) -> None:
    """The person has another address: what was put aside lately is sent to it."""
    table = tables.delivery
    found = conn.execute(
        select(table.c.delivery_id).where(
            table.c.recipient == person_id,
            table.c.channel == channel,
            table.c.state == "dead",
            table.c.carried_by.is_(None),
            table.c.created_at > now - REVIVED,
        )
    )
    ids = list(found.scalars())
    if ids:
        replay(conn, ids, now)


def dead(conn: Connection) -> Sequence[RowMapping]:
    """Everything that was put aside, the oldest first."""
    table, notice = tables.delivery, tables.notification
    return (
        conn.execute(
            select(table, notice.c.kind, notice.c.title)
            .select_from(table.join(notice))
            .where(table.c.state == "dead")
            .order_by(table.c.created_at, table.c.delivery_id)
        )
        .mappings()
        .all()
    )


def replay(conn: Connection, delivery_ids: Sequence[str], now: datetime) -> None:
    """Send these again, with as many attempts as a new delivery has. They keep their ids.

    One that went in a message with others goes with all of them again. Raises ``NoSuchDelivery`` or
    ``NotDead`` and then replays none.
    """
    table = tables.delivery
    rows = conn.execute(
        select(table.c.delivery_id, table.c.state, table.c.carried_by)
        .where(table.c.delivery_id.in_(delivery_ids))
        .order_by(table.c.delivery_id)
        .with_for_update()
    )
    found = {row.delivery_id: row for row in rows}
    for delivery_id in delivery_ids:
        if delivery_id not in found:
            raise NoSuchDelivery(f"there is no delivery {delivery_id}")
        if found[delivery_id].state != "dead":
            raise NotDead(f"delivery {delivery_id} is {found[delivery_id].state}, not dead")
    crashpoint("deliveries.replayed")
    messages = sorted({row.carried_by or row.delivery_id for row in found.values()})
    conn.execute(
        update(table)
        .where(
            or_(table.c.delivery_id.in_(messages), table.c.carried_by.in_(messages)),
            table.c.state == "dead",
        )
        .values(state="pending", spent=table.c.attempt, due_at=now, ended_at=None)
    )

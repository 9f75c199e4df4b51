"""Deliveries as rows: claimed under a lease, recorded under a fence, retried on the database's clock.

The attempt number is the fence. A sender that was stopped in mid-send and comes back after its lease
writes nothing: its attempt is no longer the latest. Must not send anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal

from sqlalchemy import (
    Connection,
    Integer,
    Select,
    Update,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from dealreg_notifier import bounces, endpoints, storms, tables
from dealreg_notifier.channels.email import NAME as EMAIL
from dealreg_notifier.channels.port import Channel, Place
from dealreg_shared.db import UtcDateTime
from dealreg_shared.db.among import among, among_given, listed

OPEN_STATES = ("pending", "sending")

_NOW = bindparam("now", type_=UtcDateTime)

_DUE = (
    select(tables.delivery)
    .where(
        tables.delivery.c.state.in_(OPEN_STATES),
        tables.delivery.c.channel.in_(bindparam("channels", expanding=True)),
        tables.delivery.c.due_at <= _NOW,
        tables.delivery.c.carried_by.is_(None),
    )
    .order_by(tables.delivery.c.due_at, tables.delivery.c.delivery_id)
    .limit(bindparam("limit", type_=Integer))
    .with_for_update(skip_locked=True)
)


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
    gathers = [name for name, channel in channels.items() if channel.gathers]
    wanted = {"channels": sorted(channels), "now": now, "limit": limit}
    storms.one_at_a_time(conn)
    while True:
        due = conn.execute(_DUE, wanted).mappings().all()
        if not due:
            return []
        mine = storms.gathered(conn, due, now, most, gathers)
        if mine:
            return _take(conn, mine, now, lease)


def _take(
    conn: Connection, delivery_ids: Sequence[str], now: datetime, lease: timedelta
) -> list[Claimed]:
    ids = listed(delivery_ids)
    conn.execute(_taking(conn.dialect.name), {"ids": ids, "now": now, "until": now + lease})
    claimed = conn.execute(_taken(conn.dialect.name), {"ids": ids}).mappings().all()
    others = _carried(conn, ids)
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


@cache
def _taking(dialect: str) -> Update:
    """A message and all that it carries are in the hands of a process."""
    table = tables.delivery
    return (
        update(table)
        .where(
            or_(
                among_given(dialect, table.c.delivery_id, "ids"),
                among_given(dialect, table.c.carried_by, "ids"),
            )
        )
        .values(
            state="sending",
            attempt=table.c.attempt + 1,
            due_at=bindparam("until"),
            begun_at=func.coalesce(table.c.begun_at, _NOW),
            carries=case(
                (and_(table.c.carries == 0, table.c.carried_by.is_(None)), 1),
                else_=table.c.carries,
            ),
        )
    )


@cache
def _taken(dialect: str) -> Select[Any]:
    """What ``Claimed`` says of a delivery, its notice and the person it goes to."""
    table, notice, person = tables.delivery, tables.notification, tables.person
    wish = tables.preference
    return (
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
        .where(among_given(dialect, table.c.delivery_id, "ids"))
    )


def _carried(conn: Connection, delivery_ids: list[str]) -> dict[str, list[Carried]]:
    found: dict[str, list[Carried]] = {}
    rows = conn.execute(_carried_by(conn.dialect.name), {"ids": delivery_ids})
    for carried_by, *notice_row in rows:
        found.setdefault(carried_by, []).append(Carried(*notice_row))
    return found


@cache
def _carried_by(dialect: str) -> Select[Any]:
    table, notice = tables.delivery, tables.notification
    return (
        select(
            table.c.carried_by,
            notice.c.notification_id,
            notice.c.kind,
            notice.c.title,
            notice.c.correlation_id,
        )
        .select_from(table.join(notice))
        .where(among_given(dialect, table.c.carried_by, "ids"))
        .order_by(notice.c.created_at, notice.c.notification_id)
    )


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
    return _write_all(conn, claimed, "delivered", now)


def give_back(conn: Connection, claimed: Sequence[Claimed], now: datetime) -> None:
    """These were claimed and not sent, unless somebody else has them by now. The attempt's number stays
    used, as it is the fence, but does not count."""
    _write_all(conn, claimed, "pending", now)


_Written = Literal["delivered", "pending"]

_VALUES: Mapping[_Written, Mapping[str, Any]] = {
    "delivered": {"state": "delivered", "error": None, "ended_at": _NOW},
    "pending": {"state": "pending", "spent": tables.delivery.c.spent + 1, "due_at": _NOW},
}


def _write_all(
    conn: Connection, claimed: Sequence[Claimed], state: _Written, now: datetime
) -> set[str]:
    """Write to those whose attempt is still the latest, and to what they carry. Returns which."""
    latest, carried = _writing(conn.dialect.name, state)
    attempts: dict[int, list[str]] = {}
    for item in claimed:
        attempts.setdefault(item.attempt, []).append(item.delivery_id)
    written: set[str] = set()
    for attempt, ids in attempts.items():  # mostly one: the first
        written.update(
            conn.execute(latest, {"ids": listed(ids), "of_attempt": attempt, "now": now}).scalars()
        )
    leading = [item.delivery_id for item in claimed if item.others and item.delivery_id in written]
    if leading:
        conn.execute(carried, {"ids": listed(leading), "now": now})
    return written


@cache
def _writing(dialect: str, state: _Written) -> tuple[ReturningUpdate[tuple[str]], Update]:
    """To deliveries of one attempt, and to what they carry."""
    table = tables.delivery
    sending = update(table).where(table.c.state == "sending").values(_VALUES[state])
    return (
        sending.where(
            among_given(dialect, table.c.delivery_id, "ids"),
            table.c.attempt == bindparam("of_attempt"),
        ).returning(table.c.delivery_id),
        sending.where(among_given(dialect, table.c.carried_by, "ids")),
    )


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

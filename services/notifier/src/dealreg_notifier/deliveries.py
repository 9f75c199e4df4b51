"""Deliveries as rows: claimed under a lease, recorded under a fence, retried on the database's clock.

The attempt number is the fence. A sender that was stopped in mid-send and comes back after its lease
writes nothing: its attempt is no longer the latest. Must not send anything.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, select, update

from dealreg_notifier import tables
from dealreg_notifier.domain.errors import NoSuchDelivery, NotDead

OPEN_STATES = ("pending", "sending")


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this process may send until its lease ends. Address fields may be unknown."""

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


def claim(
    conn: Connection, channels: Collection[str], now: datetime, lease: timedelta, limit: int
) -> list[Claimed]:
    """Take due deliveries of these channels: never sent, to be retried, or left by a dead process."""
    table, notice, person = tables.delivery, tables.notification, tables.person
    wish = tables.preference
    due = list(
        conn.execute(
            select(table.c.delivery_id)
            .where(
                table.c.state.in_(OPEN_STATES),
                table.c.channel.in_(sorted(channels)),
                table.c.due_at <= now,
            )
            .order_by(table.c.due_at, table.c.delivery_id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).scalars()
    )
    if not due:
        return []
    conn.execute(
        update(table)
        .where(table.c.delivery_id.in_(due))
        .values(state="sending", attempt=table.c.attempt + 1, due_at=now + lease)
    )
    rows = conn.execute(
        select(
            table.c.delivery_id,
            table.c.attempt,
            table.c.spent,
            table.c.channel,
            table.c.recipient.label("person_id"),
            person.c.name,
            person.c.email,
            wish.c.language,
            notice.c.notification_id,
            notice.c.kind,
            notice.c.facts,
            notice.c.title,
            notice.c.created_at,
            notice.c.correlation_id,
        )
        .select_from(
            table.join(notice)
            .outerjoin(person, person.c.person_id == table.c.recipient)
            .outerjoin(wish, wish.c.person_id == table.c.recipient)
        )
        .where(table.c.delivery_id.in_(due))
    )
    by_id = {row.delivery_id: Claimed(**row._mapping) for row in rows}
    return [by_id[delivery_id] for delivery_id in due]


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
    return bool(changed)


def cancel_for(conn: Connection, person_id: str, reason: str, now: datetime) -> None:
    """Nothing more is sent to this person, and no server's words about the address are kept."""
    table = tables.delivery
    conn.execute(
        update(table)
        .where(table.c.recipient == person_id, table.c.state.in_((*OPEN_STATES, "dead")))
        .values(state="cancelled", ended_at=now)
    )
    conn.execute(update(table).where(table.c.recipient == person_id).values(error=reason))


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

    Raises ``NoSuchDelivery`` or ``NotDead`` and then replays none.
    """
    table = tables.delivery
    rows = conn.execute(
        select(table.c.delivery_id, table.c.state)
        .where(table.c.delivery_id.in_(delivery_ids))
        .order_by(table.c.delivery_id)
        .with_for_update()
    )
    states: dict[str, str] = {row.delivery_id: row.state for row in rows}
    for delivery_id in delivery_ids:
        if delivery_id not in states:
            raise NoSuchDelivery(f"there is no delivery {delivery_id}")
        if states[delivery_id] != "dead":
            raise NotDead(f"delivery {delivery_id} is {states[delivery_id]}, not dead")
    conn.execute(
        update(table)
        .where(table.c.delivery_id == bindparam("b_id"))
        .values(state="pending", spent=table.c.attempt, due_at=now, ended_at=None),
        [{"b_id": delivery_id} for delivery_id in states],
    )

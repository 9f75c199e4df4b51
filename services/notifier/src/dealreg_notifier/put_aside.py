"""Deliveries that were put aside as dead: listed, and sent again. Must not send anything itself."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, or_, select, update

from dealreg_notifier import tables
from dealreg_notifier.domain.errors import NoSuchDelivery, NotDead
from dealreg_shared.crashpoint import crashpoint

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

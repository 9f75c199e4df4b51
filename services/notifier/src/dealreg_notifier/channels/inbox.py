"""The inbox: every notice is in it from the transaction that wrote it, with nothing to set up.

It needs no delivery, no lease and no retry, so it is not a ``Channel``; it is the notices themselves,
seen by their recipient. Must not show a notice to anybody but its recipient and an admin.
"""

from datetime import datetime

from sqlalchemy import Connection, RowMapping, select, update

from dealreg_notifier.domain.errors import NoSuchNotification
from dealreg_notifier.tables import notification
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.web import paging


def page(
    conn: Connection, recipient: str, cursor: str | None, limit: int, *, unread: bool
) -> tuple[list[RowMapping], str | None]:
    """The newest notices first, and the cursor of the next page."""
    query = select(notification).where(notification.c.recipient == recipient)
    if unread:
        query = query.where(notification.c.read_at.is_(None))
    query = paging.after(
        query,
        notification.c.created_at,
        notification.c.notification_id,
        cursor,
        limit,
        descending=True,
    )
    rows, following = paging.page(
        conn.execute(query).mappings().all(),
        limit,
        lambda row: paging.Position(row["created_at"], row["notification_id"]),
    )
    return list(rows), following


def one(conn: Connection, notification_id: str, recipient: str | None) -> RowMapping:
    """A notice; ``recipient`` None: whoever it is for. Raises ``NoSuchNotification``."""
    query = select(notification).where(notification.c.notification_id == notification_id)
    if recipient is not None:
        query = query.where(notification.c.recipient == recipient)
    row = conn.execute(query).mappings().first()
    if row is None:
        raise NoSuchNotification("there is no such notification, or none that you may see")
    return row


def mark_read(conn: Connection, notification_id: str, recipient: str, now: datetime) -> RowMapping:
    """Note the first time that its recipient read it; again changes nothing."""
    one(conn, notification_id, recipient)
    conn.execute(
        update(notification)
        .where(notification.c.notification_id == notification_id, notification.c.read_at.is_(None))
        .values(read_at=now)
    )
    crashpoint("notice.read")
    return one(conn, notification_id, recipient)

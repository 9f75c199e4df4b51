"""Who listens to new notices, and how they hear of them: one look at the database per tick for all.

A notice's instant is that of its transaction's beginning, so one may become visible after a later one.
Each look therefore goes back a little further than the last, and skips what it has passed on already.
Must not know HTTP.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from dealreg_notifier.tables import notification
from dealreg_shared.db import Database, app_now

OVERLAP = timedelta(seconds=30)
"""Longer than any transaction may last."""

WAITING = 100
"""Notices that wait for one listener that does not read; then it is dropped, and may come back."""

MOST_MISSED = 500
"""Notices that are read back for a listener that was away."""

Notice = Mapping[Any, Any]

SLOW: Notice = {}
"""The last thing that a listener gets which does not read."""


@dataclass(eq=False, slots=True)
class Listener:
    """One connection."""

    recipient: str
    key_id: str
    queue: asyncio.Queue[Notice] = field(default_factory=lambda: asyncio.Queue(WAITING + 1))


class Listeners:
    """All connections of this process."""

    def __init__(self, database: Database, most: int, most_per_key: int) -> None:
        self._database = database
        self._most = most
        self._most_per_key = most_per_key
        self._listeners: set[Listener] = set()
        self._looked_at: datetime | None = None
        self._passed: dict[str, datetime] = {}

    def __len__(self) -> int:
        return len(self._listeners)

    def room(self, key_id: str) -> bool:
        """Whether this key may open another connection."""
        mine = sum(1 for other in self._listeners if other.key_id == key_id)
        return len(self._listeners) < self._most and mine < self._most_per_key

    @contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """From here on notices arrive."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    async def look(self) -> int:
        """Pass on what is new. Returns how many notices; asks nothing while nobody listens."""
        if not self._listeners:
            self._looked_at, self._passed = None, {}
            return 0
        recipients = {listener.recipient for listener in self._listeners}
        now, rows = await self._database.read(lambda conn: self._recent(conn, recipients))
        fresh = [row for row in rows if row["notification_id"] not in self._passed]
        self._passed = {row["notification_id"]: row["created_at"] for row in rows}
        self._looked_at = now
        for row in fresh:
            for listener in list(self._listeners):
                if listener.recipient == row["recipient"]:
                    self._hand(listener, row)
        return len(fresh)

    def _hand(self, listener: Listener, row: Notice) -> None:
        if listener.queue.qsize() < WAITING:
            listener.queue.put_nowait(row)
        elif not listener.queue.full():
            listener.queue.put_nowait(SLOW)
            self._listeners.discard(listener)

    def _recent(self, conn: Connection, recipients: set[str]) -> tuple[datetime, Sequence[Notice]]:
        now = app_now(conn)
        since = min(self._looked_at or now, now) - OVERLAP
        rows = conn.execute(
            select(notification)
            .where(
                notification.c.recipient.in_(sorted(recipients)),
                notification.c.created_at >= since,
            )
            .order_by(notification.c.created_at, notification.c.notification_id)
        )
        return now, list(rows.mappings())


def missed(conn: Connection, recipient: str, since: datetime) -> Sequence[Notice]:
    """What a listener may not have seen that heard last at ``since``; the newest ``MOST_MISSED``."""
    rows = conn.execute(
        select(notification)
        .where(notification.c.recipient == recipient, notification.c.created_at >= since - OVERLAP)
        .order_by(notification.c.created_at.desc(), notification.c.notification_id.desc())
        .limit(MOST_MISSED)
    )
    return list(rows.mappings())[::-1]

"""Who listens to new notices, and how they hear of them: one look at the database per tick for all.

A notice's instant is that of its transaction's beginning, so one may become visible after a later one.
Each look therefore goes back a little further than the last. What a listener had, or could have read
when it came, is its own affair: each knows what it has seen, so that nothing comes twice and nothing is
lost between its first look and the next. Must not know HTTP.
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
    """One connection. It has ``seen`` the latest notices that were there at ``looked_at``."""

    recipient: str
    key_id: str
    looked_at: datetime
    seen: set[str]
    queue: asyncio.Queue[Notice] = field(default_factory=lambda: asyncio.Queue(WAITING + 1))


class Listeners:
    """All connections of this process."""

    def __init__(self, database: Database, most: int, most_per_key: int) -> None:
        self._database = database
        self._most = most
        self._most_per_key = most_per_key
        self._listeners: set[Listener] = set()

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
            return 0
        looking = list(self._listeners)
        recipients = {listener.recipient for listener in looking}
        since = min(listener.looked_at for listener in looking)
        now, rows = await self._database.read(lambda conn: _recent(conn, recipients, since))
        by_recipient: dict[str, list[Notice]] = {}
        for row in rows:
            by_recipient.setdefault(row["recipient"], []).append(row)
        fresh: set[str] = set()
        for listener in looking:
            mine = by_recipient.get(listener.recipient, ())
            for row in mine:
                if row["notification_id"] not in listener.seen:
                    fresh.add(row["notification_id"])
                    self._hand(listener, row)
            listener.seen = {row["notification_id"] for row in mine}
            listener.looked_at = now
        return len(fresh)

    def _hand(self, listener: Listener, row: Notice) -> None:
        if listener.queue.qsize() < WAITING:
            listener.queue.put_nowait(row)
        elif not listener.queue.full():
            listener.queue.put_nowait(SLOW)
            self._listeners.discard(listener)


def arrive(
    conn: Connection, recipient: str, key_id: str, since: datetime | None
) -> tuple[Listener, Sequence[Notice]]:
    """A new listener, and what it may not have seen: heard last at ``since``, the newest
    ``MOST_MISSED``; if it heard nothing before, it hears from now on."""
    now = app_now(conn)
    rows = conn.execute(
        select(notification)
        .where(
            notification.c.recipient == recipient,
            notification.c.created_at >= (since or now) - OVERLAP,
        )
        .order_by(notification.c.created_at.desc(), notification.c.notification_id.desc())
        .limit(MOST_MISSED)
    )
    there = list(rows.mappings())[::-1]
    listener = Listener(recipient, key_id, now, {row["notification_id"] for row in there})
    return listener, there if since is not None else ()


def _recent(
    conn: Connection, recipients: set[str], looked_at: datetime
) -> tuple[datetime, Sequence[Notice]]:
    now = app_now(conn)
    rows = conn.execute(
        select(notification)
        .where(
            notification.c.recipient.in_(sorted(recipients)),
            notification.c.created_at >= min(looked_at, now) - OVERLAP,
        )
        .order_by(notification.c.created_at, notification.c.notification_id)
    )
    return now, list(rows.mappings())

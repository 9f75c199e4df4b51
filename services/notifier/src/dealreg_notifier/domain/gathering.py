"""Storm control: when many notices to one person at once become one message with a list.

A person gets at most so many messages of one group on one channel within ``WINDOW``; what is more goes
together. Only messages are gathered: notices, events and timers stay one by one. Must not read a clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

WINDOW = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message to the same person, on the same channel, of the same group of notices."""

    at: datetime
    notices: int


@dataclass(frozen=True, slots=True)
class Gathering:
    """How the waiting notices leave: each by itself, all in one message, or not before ``until``."""

    how: Literal["singly", "together", "later"]
    until: datetime | None = None


SINGLY, TOGETHER = Gathering("singly"), Gathering("together")


def gather(waiting: int, sent: Sequence[Sent], now: datetime, limit: int) -> Gathering:
    """What becomes of ``waiting`` notices that are due, after the messages ``sent`` before.

    ``limit`` 0: no limit, each goes by itself. What waits, waits less than ``WINDOW``.
    """
    recent = [message for message in sent if message.at > now - WINDOW]
    lists = [message.at for message in recent if message.notices > 1]
    if limit == 0 or (not lists and len(recent) + waiting <= limit):
        return SINGLY
    if lists:
        return Gathering("later", max(lists) + WINDOW)
    if len(recent) >= limit:
        return Gathering("later", min(message.at for message in recent) + WINDOW)
    return TOGETHER

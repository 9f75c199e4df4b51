"""The channel port. Its comments are the contract that every channel keeps.

A channel knows how to carry one finished message to one person. It must not read or write the database,
choose whom to tell, or retry by itself: deliveries are rows, and their schedule is the database's.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to reach. Read when a message is sent, kept nowhere else."""

    person_id: str
    name: str | None
    email: str | None


@dataclass(frozen=True, slots=True)
class Outbound:
    """One message, ready to be sent. ``delivery_id`` is the same for every attempt."""

    delivery_id: str
    kind: str
    contact: Contact
    title: str
    text: str
    html: str
    created_at: datetime
    language: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """The other side took the message over."""


@dataclass(frozen=True, slots=True)
class Retry:
    """It did not get through, or nobody knows. ``error`` holds no person's data and may be published;
    ``detail`` is the other side's own words, for the operator."""

    error: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The other side will never take this message. Fields as in ``Retry``."""

    error: str
    detail: str = ""


Outcome = Delivered | Retry | Refused


class Sender(Protocol):
    """An open way to the other side, for several messages one after the other."""

    async def send(self, outbound: Outbound) -> Outcome:
        """Try once, within the channel's own time limit. Raises nothing that belongs to the other side:
        whatever it does or says is an outcome. A message whose fate is unknown is a ``Retry``, and the
        same ``delivery_id`` lets the other side recognise it."""


class Channel(Protocol):
    """One way to tell people."""

    @property
    def name(self) -> str:
        """Stored in deliveries; never changes."""

    @property
    def gathers(self) -> bool:
        """Whether many notices at once may become one message with a list. People want that; a machine
        wants each notice by itself."""

    @property
    def private(self) -> bool:
        """Whether nobody but the person reads what is sent, so that it may carry links that decide."""

    def reaches(self, contact: Contact) -> bool:
        """Whether the person can be told on this channel."""

    def session(self) -> AbstractAsyncContextManager[Sender]:
        """A sender. Connects when first used; entering never fails."""

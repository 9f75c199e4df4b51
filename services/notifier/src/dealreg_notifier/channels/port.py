"""The channel port. Its comments are the contract that every channel keeps.

A channel knows how to carry one finished message to one person, or to one place that somebody set up (an
endpoint). It must not read or write the database,
choose whom to tell, or retry by itself: deliveries are rows, and their schedule is the database's.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from dealreg_notifier.domain.retries import Schedule


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to reach. Read when a message is sent, kept nowhere else."""

    person_id: str
    name: str | None
    email: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """An endpoint: where messages of its kind are posted. Holds secrets, so its repr shows none."""

    endpoint_id: str
    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    open: bool = True
    private: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """A link for the reader, such as a page where a case is decided."""

    label: str
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outbound:
    """One message, ready to be sent. ``delivery_id`` is the same for every attempt.

    People get ``text`` or ``html``. ``body`` is the notice in plain words without greeting and footer;
    with ``facts`` and ids it is what machines and chats get. ``recipient`` is ``partner:<id>`` or a
    person's id.
    """

    delivery_id: str
    kind: str
    contact: Contact
    title: str
    text: str
    html: str
    created_at: datetime
    language: str
    notification_id: str = ""
    recipient: str = ""
    subject: str = ""
    body: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    actions: tuple[Action, ...] = ()
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the delivery log keeps of an attempt over HTTP: no bodies, only their SHA-256."""

    seconds: float
    sent_sha256: str
    status: int | None = None
    answer_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """The other side took the message over."""

    exchange: Exchange | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """It did not get through, or nobody knows. ``error`` holds no person's data and may be published;
    ``detail`` is the other side's own words, for the operator. ``after``: the wait it asks for."""

    error: str
    detail: str = ""
    after: timedelta | None = None
    exchange: Exchange | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The other side will never take this message. Fields as in ``Retry``.

    ``gone``: it will take no other either; the address or the place itself is no longer good.
    """

    error: str
    detail: str = ""
    gone: bool = False
    exchange: Exchange | None = None


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

    @property
    def places(self) -> bool:
        """Whether messages go to endpoints that somebody set up, and not to a person's own address."""

    @property
    def schedule(self) -> Schedule:
        """How often it is tried, and when."""

    def reaches(self, contact: Contact) -> bool:
        """Whether the person can be told on this channel. Not asked of a channel with places."""

    def session(self) -> AbstractAsyncContextManager[Sender]:
        """A sender. Connects when first used; entering never fails."""

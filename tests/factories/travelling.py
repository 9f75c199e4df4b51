"""Small events for tests of what carries them: outbox, bus and inbox."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from dealreg_shared.bus.headers import event_headers
from dealreg_shared.bus.port import Bus, Delivery, Message
from dealreg_shared.contracts.catalogue import PEOPLE, PLAN, decode, encode, event_model
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.contracts.people import PersonUpdated
from dealreg_shared.contracts.plan import PartnerStatusChanged
from dealreg_shared.ids import new_event_id
from dealreg_shared.outbox import Outgoing

AT = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)
SUSPENDED = "dealreg.partner.suspended.v1"
PERSON = "dealreg.person.updated.v1"


def suspended(key: str, reason: str = "late") -> Outgoing:
    """An event on ``dealreg.plan``; ``reason`` tells it from others of its key."""
    data = PartnerStatusChanged(partner_id="acme", status="suspended", at=AT, reason=reason)
    return Outgoing(SUSPENDED, key, "acme", data, "cor-1")


def person(key: str, name: str = "Ada") -> Outgoing:
    """An event on the compacted topic ``dealreg.people``."""
    data = PersonUpdated(person_id=key, name=name, email=None, roles=())
    return Outgoing(PERSON, key, key, data, "cor-1")


def event(outgoing: Outgoing, version: int) -> Event[Any]:
    """The event as it travels, with a version of the test's choice."""
    return event_model(outgoing.type)(
        id=new_event_id(),
        source="/dealreg/registration",
        type=outgoing.type,
        subject=outgoing.subject,
        time=AT,
        programme="default",
        partitionkey=outgoing.key,
        keyversion=version,
        correlationid=outgoing.correlation_id,
        data=outgoing.data,
    )


def message(outgoing: Outgoing, version: int) -> Message:
    """The message of such an event."""
    topic = PEOPLE if outgoing.type == PERSON else PLAN
    body = encode(event(outgoing, version))
    return Message(topic, outgoing.key, body, event_headers(version))


def versions(deliveries: Sequence[Delivery], key: str) -> list[int]:
    """The versions of a key, in the order of the log."""
    return [
        decode(delivery.message.value).keyversion
        for delivery in deliveries
        if delivery.message.key == key and delivery.message.value is not None
    ]


async def whole_log(bus: Bus, topic: str) -> list[Delivery]:
    """Everything on a topic, from its first message."""
    async with bus.subscribe(f"reader-{new_event_id().hex}", [topic]) as subscription:
        log: list[Delivery] = []
        while await subscription.lag():
            fetched = await subscription.fetch(1000, 1.0)
            log += fetched
            await subscription.commit([delivery.position for delivery in fetched])
        return log


def nothing(conn: Connection, event: Event[Any]) -> None:
    """A handler without an effect."""


def forgotten(conn: Connection, key: str) -> None:
    """A tombstone without an effect."""

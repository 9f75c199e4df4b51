"""Turns what the bus delivers into what the inbox can judge. Pure; must not touch a database.

A message that cannot be read as an event is not an error here: it is judged like any other, because it
may hold the place of an event that its key is waiting for.
"""

from dataclasses import dataclass
from typing import Any

from dealreg_shared.bus.headers import key_version
from dealreg_shared.bus.port import Delivery, Position
from dealreg_shared.contracts.catalogue import TOPICS, EventUnreadable, decode, topic_of
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.outbox.tables import KEY_LENGTH


@dataclass(frozen=True, slots=True)
class Received:
    """One message of a key. ``version`` None: it does not even say which event of its key it is.

    Exactly one of ``event`` and ``unreadable`` is set, or neither for a tombstone.
    """

    topic: str
    key: str
    version: int | None
    event: Event[Any] | None
    unreadable: str | None
    body: bytes | None
    position: Position

    @property
    def event_id(self) -> str | None:
        return None if self.event is None else str(self.event.id)


def is_compacted(topic: str) -> bool:
    """Whether on ``topic`` the latest message of a key wins."""
    return topic in TOPICS and TOPICS[topic].compacted


def receive(delivery: Delivery) -> Received:
    """Read one delivery. Never raises for what the message holds."""
    message = delivery.message
    key = message.key.replace("\x00", "")[:KEY_LENGTH]
    if key != message.key or not key:
        why = f"a key has 1 to {KEY_LENGTH} characters, not {len(message.key)}"
        return Received(message.topic, key, None, None, why, message.value, delivery.position)
    version = key_version(message.headers)
    return read(message.topic, key, message.value, version, delivery.position)


def read(
    topic: str, key: str, body: bytes | None, version: int | None, position: Position
) -> Received:
    """Read a message's body. ``version`` is what its headers say; a readable event knows better."""

    def unreadable(why: str) -> Received:
        return Received(topic, key, version, None, why, body, position)

    if body is None:
        if not is_compacted(topic):
            return unreadable("a message without a value, on a topic that is not compacted")
        if version is None:
            return unreadable("a tombstone that does not say its version")
        return Received(topic, key, version, None, None, None, position)
    try:
        event = decode(body)
    except EventUnreadable as error:
        return unreadable(str(error))
    if event.partitionkey != key:
        return unreadable(f"the message has key {key!r}, the event in it {event.partitionkey!r}")
    if topic_of(event.type) != topic:
        return unreadable(f"{event.type} does not belong on {topic}")
    return Received(topic, key, event.keyversion, event, None, body, position)

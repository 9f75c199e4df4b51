"""The bus port. Its comments are the contract; the suite in ``tests/contract/bus`` checks both backends.

The contract:

* **At least once.** Every message whose publish was acknowledged is delivered to every group.
* For each key the **first appearances** of messages are in version order without gaps.
* **Any message may appear again** at any later position, even after newer messages of its key.
* An acknowledged message is **durable**. A publish that failed or timed out may have happened, or may
  still happen later.
* Therefore consumers must, in the transaction of the effect, ignore a version at or below the last
  applied, apply exactly last + 1, and park the key on a gap (``dealreg_shared.inbox`` does it).
* A **compacted** topic is the exception: the latest message of a key wins, an empty value deletes it.

What makes the order true is the publisher: it publishes a key's messages in version order, awaits each
batch's acknowledgement before the next, and stops at the first failure (``dealreg_shared.outbox``).
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """What is published. ``value`` None is a tombstone, for compacted topics only."""

    topic: str
    key: str
    value: bytes | None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the log: ``offset`` grows within (topic, partition), not always by one."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as a consumer sees it."""

    message: Message
    position: Position = field(compare=False)


class BusError(Exception):
    """The bus did not do what was asked. What was published may or may not have arrived."""


class Subscription(Protocol):
    """One member of a group. Messages of one key always come to one member at a time."""

    async def fetch(self, limit: int, wait: float) -> Sequence[Delivery]:
        """Up to ``limit`` deliveries, waiting at most ``wait`` seconds for the first; may be empty.

        Within a partition they come in log order, continuing after what this member fetched last; after
        a restart or a rebalance, after what the group committed last, else from the beginning.
        """

    async def commit(self, positions: Sequence[Position]) -> None:
        """Remember that everything up to and including ``positions`` is done, per partition.

        Call it after the effect's own commit. A commit that fails is no error for the consumer: the
        messages come again. Raises ``BusError`` only when the bus itself is unusable.
        """

    async def seek_to_beginning(self) -> None:
        """Deliver the whole log again from its first message (replay)."""

    async def lag(self) -> int:
        """How many messages stand between this member's committed position and the end of the log."""

    async def extents(self) -> Mapping[tuple[str, int], tuple[int, int]]:
        """(topic, partition) -> its first offset and the one that comes next, of this member's
        partitions. The log keeps everything: a next offset that falls means that it lost messages."""


class Bus(Protocol):
    """A durable log of messages, by topic."""

    async def publish(self, messages: Sequence[Message]) -> None:
        """Append in the order given and return when all are durable.

        Raises ``BusError`` when any is not known to be: then none, some or all may have been appended,
        and those that were are a prefix per key.
        """

    def subscribe(
        self, group: str, topics: Sequence[str]
    ) -> AbstractAsyncContextManager[Subscription]:
        """Join ``group``. Leaving the context leaves the group within 10 s, even if the bus is away."""

    async def healthy(self) -> bool:
        """Whether the bus answers now. Never raises."""

    async def close(self) -> None:
        """Let go of everything within 10 s."""

"""Commands that wait for the account writer, and which of them make the next batch.

Pure, but for the futures it makes: nothing here starts or writes anything.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from dealreg_registration.commands import Answer, Command

BATCH_LIMIT = 128


@dataclass(slots=True)
class Waiting:
    command: Command
    answer: asyncio.Future[Answer]
    repeats: str | None
    marks: frozenset[str]
    """What no two batches in flight may share: keys and ids of accounts, the idempotency key."""


def waiting_for(command: Command) -> Waiting:
    """A command as it waits, and what it shares with others."""
    target, key = command.target, command.idempotency
    repeats = None if key is None else f"{key.scope} {key.key}"
    ids = (
        target.account_id,
        target.registration_id,
        target.conflict_id,
        target.parent_id,
        target.merged_id,
    )
    marks = {*target.keys, *ids, repeats}
    return Waiting(
        command,
        asyncio.get_running_loop().create_future(),
        repeats,
        frozenset(mark for mark in marks if mark is not None),
    )


def next_batch(waiting: Sequence[Waiting], busy: set[str]) -> tuple[list[Waiting], list[Waiting]]:
    """What comes next and what is left, in order of arrival.

    Left are commands that share something with a batch in flight (``busy``), repetitions of a command of
    this batch, which are answered from what the first has stored, and later ones that share with them.
    """
    batch: list[Waiting] = []
    left: list[Waiting] = []
    keys: set[str | None] = set()
    for index, item in enumerate(waiting):
        if len(batch) == BATCH_LIMIT:
            left += waiting[index:]
            break
        if item.command.target.merged_id is not None and (batch or not busy.isdisjoint(item.marks)):
            left.append(item)
            busy |= item.marks
        elif item.command.target.merged_id is not None:  # alone: others may name what it moves
            return [item], [*left, *waiting[index + 1 :]]
        elif (item.repeats is None or item.repeats not in keys) and busy.isdisjoint(item.marks):
            batch.append(item)
            keys.add(item.repeats)
        else:
            left.append(item)
            busy |= item.marks
    return batch, left

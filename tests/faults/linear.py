"""Is a recorded history linearizable? Wing and Gong's search, with Lowe's memory of what was tried.

An operation takes effect at one instant between its call and its return. The search looks for an order
of these instants that a sequential model agrees with; where two searches meet in the same set of done
operations and the same state, the second stops. An operation without an answer may have taken effect at
any time after its call, or never. Pure: knows no service, no clock.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, TypeVar

S = TypeVar("S", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Op:
    """What one client did. ``result`` None and ``returned`` infinite: no answer came."""

    kind: str
    args: tuple[Any, ...]
    result: Any
    called: float
    returned: float = inf

    @property
    def answered(self) -> bool:
        return self.returned != inf


Step = Callable[[S, Op], S | None]
"""The model: the state after an operation, or None if its result does not fit. An operation without a
result fits always."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``furthest``: the most operations that any order explained; ``stuck``: those that came next."""

    linear: bool
    furthest: int
    stuck: tuple[Op, ...] = ()


class TooHard(Exception):
    """More was tried than a check may cost."""


def check(history: Sequence[Op], initial: S, step: Step[S], *, limit: int = 2_000_000) -> Verdict:
    """Search. Raises ``TooHard`` after ``limit`` steps of the model."""
    ops = sorted(history, key=lambda op: (op.called, op.returned))
    wanted = sum(1 << index for index, op in enumerate(ops) if op.answered)
    tried: set[tuple[int, S]] = {(0, initial)}
    furthest, stuck, steps = 0, tuple(ops[:1]), 0
    stack: list[tuple[int, S, Iterator[int]]] = [(0, initial, _next(ops, 0))]
    while stack:
        done, state, choices = stack[-1]
        if done & wanted == wanted:
            return Verdict(True, done.bit_count())
        for index in choices:
            steps += 1
            if steps > limit:
                raise TooHard(f"{len(ops)} operations, {limit} steps")
            after = step(state, ops[index])
            if after is None:
                continue
            reached = (done | 1 << index, after)
            if reached in tried:
                continue
            tried.add(reached)
            stack.append((*reached, _next(ops, reached[0])))
            break
        else:
            stack.pop()
            if done.bit_count() >= furthest:
                furthest = done.bit_count()
                stuck = tuple(ops[index] for index in _next(ops, done))
    return Verdict(False, furthest, stuck)


def _next(ops: Sequence[Op], done: int) -> Iterator[int]:
    """Operations that may come next: called before any other that is left has returned."""
    first = (~done & (done + 1)).bit_length() - 1
    earliest = inf
    found: list[int] = []
    for index in range(first, len(ops)):
        op = ops[index]
        if op.called > earliest:
            break
        if not done >> index & 1:
            found.append(index)
            earliest = min(earliest, op.returned)
    found = [index for index in found if ops[index].called <= earliest]
    found.sort(key=lambda index: ops[index].returned)
    return iter(found)

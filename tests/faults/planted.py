"""Faults planted in a recorded history: each must make it impossible, or the check proves nothing."""

from collections.abc import Callable
from dataclasses import replace

from tests.faults.line_model import View
from tests.faults.linear import Op

Plant = Callable[[list[Op]], list[Op] | None]


def two_winners(ops: list[Op]) -> list[Op] | None:
    """One that was told to wait, and waits, is told that it is protected."""
    waiting = [it.args[0] for it in ops if it.kind == "read" and "contested" in str(it.result)]
    for index, op in enumerate(ops):
        alone = op.kind == "register" and op.answered and len(op.args[2]) == 1
        if alone and op.args[0] in waiting and op.result[1][0][2] == "contested":
            status, ((place, line, _),) = op.result
            return _with(ops, index, replace(op, result=(status, ((place, line, "protected"),))))
    return None


def forgotten_filing(ops: list[Op]) -> list[Op] | None:
    """A filing was acknowledged, and its place given to another afterwards."""
    for op in reversed(ops):
        if op.kind == "register" and op.answered:
            again = replace(op, called=op.returned, returned=op.returned + 1e-9)
            return [*ops, replace(again, args=("forgotten", *op.args[1:]))]
    return None


def stale_read(ops: list[Op]) -> list[Op] | None:
    """A read shows a registration as it was before its end was acknowledged."""
    for index, op in enumerate(ops):
        if op.kind != "read" or not op.answered:
            continue
        for end in ops:
            ended = end.kind == "withdraw" and end.answered and end.result[0] == 200
            if ended and end.args == op.args and end.returned < op.called:
                status, view = op.result
                was: View = tuple((place, line, "protected") for place, line, _ in view)
                return _with(ops, index, replace(op, result=(status, was)))
    return None


def order_swapped(ops: list[Op]) -> list[Op] | None:
    """Two filings, one after the other, got each other's places."""
    filed = [op for op in ops if op.kind == "register" and op.answered and len(op.args[2]) == 1]
    for first in filed:
        for second in filed:
            if first.returned < second.called:
                ((place, _, _),), ((other, _, _),) = first.result[1], second.result[1]
                changed = {id(first): other, id(second): place}
                return [
                    replace(op, result=(201, ((changed[id(op)], *op.result[1][0][1:]),)))
                    if id(op) in changed
                    else op
                    for op in ops
                ]
    return None


def refused_though_possible(ops: list[Op]) -> list[Op] | None:
    """A partner is told that there is nothing to withdraw, and finds it withdrawn by nobody."""
    for index, op in enumerate(ops):
        if op.kind != "withdraw" or not op.answered or op.result[0] != 200:
            continue
        others = [it for it in ops if it is not op and it.args == op.args]
        seen = any(it.answered and "withdrawn" in str(it.result) for it in others)
        if seen and all(it.kind != "withdraw" or it.answered for it in others):
            return _with(ops, index, replace(op, result=(409, None)))
    return None


PLANTS: tuple[Plant, ...] = (
    two_winners,
    forgotten_filing,
    stale_read,
    order_swapped,
    refused_though_possible,
)


def _with(ops: list[Op], index: int, op: Op) -> list[Op]:
    return [*ops[:index], op, *ops[index + 1 :]]

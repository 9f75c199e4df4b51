"""The checker of histories, on histories of which is known whether they are linearizable."""

from math import inf
from typing import Any

import pytest

from tests.faults.line_model import EMPTY, step
from tests.faults.linear import Op, TooHard, check


def register(state: int, op: Op) -> int | None:
    """A register that holds a number."""
    if op.kind == "write":
        return int(op.args[0])
    return state if op.result in (None, state) else None


def write(value: int, called: float, returned: float = inf) -> Op:
    return Op("write", (value,), None if returned == inf else True, called, returned)


def read(value: int, called: float, returned: float) -> Op:
    return Op("read", (), value, called, returned)


LINEAR = {
    "nothing": [],
    "one after the other": [write(1, 0, 1), read(1, 2, 3)],
    "a read beside a write sees what was": [write(1, 0, 9), read(0, 1, 2), read(1, 3, 4)],
    "two writes at once, either may be last": [write(1, 0, 9), write(2, 0, 9), read(1, 10, 11)],
    "no answer, and it happened": [write(1, 0), read(0, 1, 2), read(1, 5, 6)],
    "no answer, and it never happened": [write(1, 0), read(0, 5, 6)],
    "the search must go back": [
        write(1, 0, 10),
        write(2, 1, 10),
        write(3, 2, 10),
        read(2, 11, 12),
        write(4, 11, 20),
        read(4, 21, 22),
    ],
}

NOT_LINEAR = {
    "a read of what was never written": [write(1, 0, 1), read(2, 2, 3)],
    "a stale read": [write(1, 0, 1), write(2, 2, 3), read(1, 4, 5)],
    "back and forth": [write(1, 0, 9), read(1, 1, 2), read(0, 3, 4)],
    "a lost write": [write(1, 0, 1), read(0, 2, 3)],
    "two readers disagree on the order": [
        write(1, 0, 1),
        write(2, 0, 1),
        read(1, 2, 3),
        read(2, 4, 5),
    ],
    "an unanswered write cannot come before its call": [read(1, 0, 1), write(1, 2)],
}


@pytest.mark.parametrize("name", LINEAR)
def test_a_linearizable_history_is_accepted(name: str) -> None:
    assert check(LINEAR[name], 0, register).linear


@pytest.mark.parametrize("name", NOT_LINEAR)
def test_a_history_that_is_not_is_refused_and_says_where(name: str) -> None:
    verdict = check(NOT_LINEAR[name], 0, register)
    assert not verdict.linear
    assert verdict.stuck


def test_many_writes_at_once_are_no_trouble_thanks_to_the_memory() -> None:
    writes = [write(number % 4, 0, 100) for number in range(12)]
    assert not check([*writes, read(9, 101, 102)], 0, register).linear


def test_a_check_that_costs_too_much_says_so() -> None:
    with pytest.raises(TooHard):
        check([write(n, 0, 100) for n in range(12)] + [read(99, 101, 102)], 0, register, limit=500)


def ops(*steps: tuple[str, tuple[Any, ...], Any]) -> list[Op]:
    """One after the other."""
    return [Op(*it, float(2 * index), 2 * index + 1.0) for index, it in enumerate(steps)]


def filed(filing: str, partner: str, *claims: tuple[int, str, str]) -> tuple[str, Any, Any]:
    lines = tuple(line for _, line, _ in claims)
    return "register", (filing, partner, lines), (201, claims)


A, B = filed("a", "p1", (1, "x", "protected")), filed("b", "p2", (2, "x", "contested"))
C = filed("c", "p3", (3, "x", "contested"))

AGREES = {
    "withdrawn, promoted": (
        A,
        B,
        ("withdraw", ("a",), (200, ((1, "x", "withdrawn"),))),
        ("read", ("b",), (200, ((2, "x", "protected"),))),
    ),
    "lost, offered, accepted": (
        A,
        B,
        ("lose", ("a",), (200, ((1, "x", "lost"),))),
        ("read", ("b",), (200, ((2, "x", "contested"),))),
        ("accept", ("b",), (200, ((2, "x", "protected"),))),
    ),
    "lost, and taken while it is offered": (A, B, ("lose", ("a",), None), C),
    "declined by all: free": (
        A,
        B,
        ("lose", ("a",), None),
        ("decline", ("b",), None),
        filed("d", "p4", (3, "x", "protected")),
    ),
    "expired, promoted": (
        A,
        B,
        ("travel", (), (200, None)),
        ("read", ("a",), (200, ((1, "x", "expired"),))),
        ("read", ("b",), (200, ((2, "x", "protected"),))),
    ),
    "upheld": (A, B, ("uphold", (2,), (200, None)), ("read", ("b",), (200, ((2, "x", "closed"),)))),
    "awarded": (
        A,
        B,
        ("award", (2,), (200, None)),
        ("read", ("a",), (200, ((1, "x", "revoked"),))),
    ),
    "ruled once": (A, B, ("uphold", (2,), (200, None)), ("award", (2,), (409, None))),
    "a duplicate takes a place": (A, filed("e", "p1", (2, "x", "duplicate"))),
    "a line is added": (
        A,
        ("add", ("a", "y"), (201, ((1, "x", "protected"), (2, "y", "protected")))),
    ),
    "nothing left to withdraw": (A, ("withdraw", ("a",), None), ("withdraw", ("a",), (409, None))),
}


@pytest.mark.parametrize("name", AGREES)
def test_the_model_of_an_account_agrees_with_the_rules(name: str) -> None:
    assert check(ops(*AGREES[name]), EMPTY, step).linear


DISAGREES = {
    "two winners": (A, filed("b", "p2", (2, "x", "protected"))),
    "a gap in the places": (A, filed("b", "p2", (3, "x", "contested"))),
    "the younger is promoted": (
        A,
        B,
        C,
        ("withdraw", ("a",), None),
        ("read", ("c",), (200, ((3, "x", "protected"),))),
    ),
    "what is offered is given away": (
        A,
        B,
        ("lose", ("a",), None),
        filed("c", "p3", (3, "x", "protected")),
    ),
    "an expiry that did not come": (
        A,
        ("travel", (), (200, None)),
        ("read", ("a",), (200, ((1, "x", "protected"),))),
    ),
}


@pytest.mark.parametrize("name", DISAGREES)
def test_the_model_of_an_account_knows_what_breaks_the_rules(name: str) -> None:
    assert not check(ops(*DISAGREES[name]), EMPTY, step).linear

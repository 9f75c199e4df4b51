"""Counts how often a part that moves by itself has gone round.

Who watches it compares two counts: a part whose count stands still is dead, stopped or stuck. A count
says nothing about success; what did not succeed is overdue somewhere, and found there.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Turns:
    """Call it once per round, and within a long round whenever some of it is done."""

    count: int = 0

    def __call__(self) -> None:
        self.count += 1

"""The trace of a decision: every rule tried, in order, with what it saw.

A step's sentence is for the partner that filed and must name no rival, no place and no count of others.
``facts`` are for staff.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

RULES = {
    1: "eligible",
    2: "same claim again",
    3: "coverage",
    4: "no coverage",
    5: "not in territory",
    6: "in territory, free",
    7: "in territory, taken",
}


_NOTHING: Mapping[str, Any] = {}


class Step(NamedTuple):
    """``rule`` counts as in rules.md, section 2; ``held`` says whether the rule decided."""

    rule: int
    held: bool
    sentence: str
    facts: Mapping[str, Any] = _NOTHING

    def for_staff(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "name": RULES[self.rule],
            "held": self.held,
            "sentence": self.sentence,
            "facts": dict(self.facts),
        }

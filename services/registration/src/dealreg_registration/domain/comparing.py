"""Two results of one decision compared: where their bytes differ, and which verdicts flip.

Pure. Must not know how a result came about, or what a person would think of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

STANDBY = "standby"
CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Flip:
    """A verdict that came out otherwise: ``was`` became ``now``, for a registration's claim on a line.

    ``was`` and ``now`` are outcomes of rules 1 to 7; on a promotion ``standby`` (it goes on waiting) or
    ``closed`` (the plan promotes none). ``was_to`` and ``now_to`` are who a referral goes to.
    """

    registration_id: str
    partner_id: str
    product_line: str
    was: str
    now: str
    was_to: str | None = None
    now_to: str | None = None

    @property
    def kind(self) -> str:
        """``protected -> contested``"""
        return f"{self.was} -> {self.now}"


@dataclass(frozen=True, slots=True)
class Compared:
    """``lines`` verdicts were looked at; of those that stayed, ``other_terms`` have other terms."""

    lines: int
    flips: tuple[Flip, ...]
    other_terms: int


def differences(stored: Any, again: Any, path: str = "") -> Iterator[str]:
    """A sentence for each place where two JSON values differ, with its path."""
    if isinstance(stored, dict) and isinstance(again, dict):
        for name in sorted(stored.keys() | again.keys()):
            yield from differences(stored.get(name), again.get(name), f"{path}/{name}")
    elif isinstance(stored, list) and isinstance(again, list) and len(stored) == len(again):
        for index, (one, other) in enumerate(zip(stored, again, strict=True)):
            yield from differences(one, other, f"{path}/{index}")
    elif stored != again or type(stored) is not type(again):
        yield f"{path or '/'}: stored {stored!r}, decided again {again!r}"


def product_lines(inputs: Mapping[str, Any]) -> tuple[str, ...]:
    """The lines that a decision was about."""
    return (inputs["standby"],) if "standby" in inputs else tuple(inputs["lines"])


def compare(
    inputs: Mapping[str, Any],
    stored: Mapping[str, Any],
    again: Mapping[str, Any] | None,
    *,
    promotes: bool = True,
) -> Compared:
    """What became of the verdicts of ``stored`` in ``again``.

    ``again`` is None where nobody is promoted; ``promotes`` says whether the plan promotes at all.
    """
    if "standby" in inputs:
        return _promotions(inputs, stored, again, promotes)
    filed = inputs["filing"]
    new = {line["line"]: line for line in (again or {"lines": ()})["lines"]}
    flips: list[Flip] = []
    other_terms = 0
    for line in stored["lines"]:
        other = new[line["line"]]
        was, now = line["outcome"], other["outcome"]
        if (was, line["referred"]) != (now, other["referred"]):
            flips.append(
                Flip(
                    filed["registration"],
                    filed["partner"],
                    line["line"],
                    was,
                    now,
                    line["referred"][1],
                    other["referred"][1],
                )
            )
        elif _terms(line) != _terms(other):
            other_terms += 1
    return Compared(len(stored["lines"]), tuple(flips), other_terms)


def _promotions(
    inputs: Mapping[str, Any],
    stored: Mapping[str, Any],
    again: Mapping[str, Any] | None,
    promotes: bool,
) -> Compared:
    waiting = {claim["claim"]: claim for claim in inputs["claims"]}
    left = STANDBY if promotes else CLOSED
    former = stored["claim"]
    if again is not None and again["claim"] == former:
        return Compared(1, (), int(_terms(stored) != _terms(again)))
    ends = [(former, stored["outcome"], left)]
    if again is not None and again["claim"] is not None:
        ends.append((again["claim"], STANDBY, again["outcome"]))
    flips = tuple(
        Flip(waiting[id_]["registration"], waiting[id_]["partner"], waiting[id_]["line"], was, now)
        for id_, was, now in ends
    )
    return Compared(1, flips, 0)


def _terms(line: Mapping[str, Any]) -> dict[str, Any]:
    """What a verdict comes with, beside the words that explain it and what names the plan."""
    words = ("trace", "sentence", "plan", "rule_book")
    return {name: value for name, value in line.items() if name not in words}

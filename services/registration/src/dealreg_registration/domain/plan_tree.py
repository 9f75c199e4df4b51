"""A plan's sections as plain mappings, as its checks see them, and what the outside world knows.

The checks run also on a document with faults of shape, so that its author sees all faults at once: items
with such faults are left out, but their ids stay known, so that one mistake is not reported twice.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Known:
    """Codes that exist, policy defaults, and people of earlier plans.

    ``people`` have a name and an address on record; ``erased`` ids may not be used for anyone again.
    """

    countries: Collection[str]
    subdivisions: Collection[str]
    time_zones: Collection[str]
    currencies: Collection[str]
    policy: Item
    people: Collection[str] = ()
    erased: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class PlanTree:
    """``sections`` hold (index in the document, item) of the well-formed items; ``ids`` the ids of all.

    ``programme`` is None where it has faults; ``policy`` has every default filled in. ``broken``
    sections are no lists at all: nothing can be said about what refers to them.
    """

    sections: Mapping[str, Sequence[tuple[int, Item]]]
    ids: Mapping[str, frozenset[str]]
    programme: Item | None
    policy: Item
    whole: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Country or subdivision -> the regions that list it; one, in a plan without faults."""
    partly: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Country -> the regions that list it or one of its subdivisions."""
    broken: frozenset[str] = frozenset()

    def items(self, section: str) -> Iterator[tuple[str, Item]]:
        """Each item with its JSON pointer."""
        for index, item in self.sections.get(section, ()):
            yield f"/{section}/{index}", item

    def regions_at(self, place: str) -> frozenset[str]:
        """The regions that a country reaches into, or that a subdivision lies in."""
        if len(place) == 2:
            return self.partly.get(place, frozenset())
        return self.whole.get(place) or self.whole.get(place[:2], frozenset())

    def by_id(self, section: str) -> dict[str, Item]:
        """The first item of each id."""
        found: dict[str, Item] = {}
        for _, item in self.sections.get(section, ()):
            found.setdefault(item["id"], item)
        return found


def tree_of(
    document: Mapping[str, Any], faulty: Collection[tuple[str, int | None]], known: Known
) -> PlanTree:
    """The tree of a document, whose items named in ``faulty`` (section, index or None) are left out."""
    sections: dict[str, list[tuple[int, Item]]] = {}
    ids: dict[str, frozenset[str]] = {}
    for name, value in document.items():
        if not isinstance(value, list):
            continue
        kept: list[tuple[int, Item]] = [
            (index, item)
            for index, item in enumerate(value)
            if (name, index) not in faulty and (name, None) not in faulty and isinstance(item, dict)
        ]
        sections[name] = kept
        ids[name] = frozenset(
            item["id"]
            for item in value
            if isinstance(item, dict) and isinstance(item.get("id"), str)
        )
    policy = document.get("policy")
    programme = document.get("programme")
    sound = isinstance(policy, dict) and ("policy", None) not in faulty
    return PlanTree(
        sections,
        ids,
        programme if isinstance(programme, dict) and ("programme", None) not in faulty else None,
        _filled(known.policy, policy if sound and isinstance(policy, dict) else {}),
        *_regions_of(sections.get("regions", ())),
        frozenset(name for name, index in faulty if index is None),
    )


def _filled(defaults: Item, given: Item) -> Item:
    merged = dict(defaults)
    for name, value in given.items():
        inner = defaults.get(name)
        merged[name] = (
            {**inner, **value} if isinstance(inner, Mapping) and isinstance(value, dict) else value
        )
    return merged


def _regions_of(
    regions: Sequence[tuple[int, Item]],
) -> tuple[Mapping[str, frozenset[str]], Mapping[str, frozenset[str]]]:
    whole: dict[str, set[str]] = {}
    partly: dict[str, set[str]] = {}
    for _, region in regions:
        for code in (*listing(region, "countries"), *listing(region, "subdivisions")):
            whole.setdefault(code, set()).add(region["id"])
            partly.setdefault(code[:2], set()).add(region["id"])
    return (
        {code: frozenset(ids) for code, ids in whole.items()},
        {code: frozenset(ids) for code, ids in partly.items()},
    )


def listing(item: Item, name: str) -> Sequence[Any]:
    """A list of an item, empty when absent."""
    value = item.get(name)
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def amount(value: Any) -> Decimal | None:
    """An amount as the document spells it: a whole number or a decimal text."""
    return None if value is None else Decimal(str(value))


@dataclass(frozen=True, slots=True)
class Window:
    """Days [start, end); an open end is None."""

    start: date | None
    end: date | None

    def overlaps(self, other: "Window") -> bool:
        return (self.start is None or other.end is None or self.start < other.end) and (
            other.start is None or self.end is None or other.start < self.end
        )


def window(assignment: Item) -> Window:
    """When an assignment is in force."""
    return Window(_day(assignment.get("valid_from")), _day(assignment.get("valid_to")))


def _day(value: Any) -> date | None:
    if value is None or isinstance(value, date):
        return value
    return date.fromisoformat(str(value)[:10])

"""A plan's sections as plain mappings, as its checks see them, and what the outside world knows.

The checks run also on a document with faults of shape, so that its author sees all faults at once:
fields with such faults are left out, and nothing is concluded from their absence.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from dealreg_registration.domain.plan_partial import Partial, Place, unsure, without

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
    holiday_places: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Country -> its subdivisions with holidays of their own."""


@dataclass(frozen=True, slots=True)
class PlanTree:
    """``sections`` hold (index in the document, item) without fields of a wrong shape; ``ids`` all ids.

    ``programme`` is None where it is no object; ``policy`` has every default filled in. ``broken``
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
    lacking: frozenset[str] = frozenset()
    """Sections with an entry that is no object."""
    doubtful_policy: frozenset[str] = frozenset()
    """Fields of the policy with a fault of shape in them."""

    def items(self, section: str, *needed: str) -> Iterator[tuple[str, Item]]:
        """Each item that has the fields ``needed``, with its JSON pointer."""
        for index, item in self.sections.get(section, ()):
            if not (needed and isinstance(item, Partial)) or all(name in item for name in needed):
                yield f"/{section}/{index}", item

    def complete(self, section: str, *names: str) -> bool:
        """Whether these fields are known of every item, so that what is missing is missing."""
        return (
            section not in self.broken
            and section not in self.lacking
            and not any(unsure(item, *names) for _, item in self.sections.get(section, ()))
        )

    def regions_at(self, place: str) -> frozenset[str]:
        """The regions that a country reaches into, or that a subdivision lies in."""
        if len(place) == 2:
            return self.partly.get(place, frozenset())
        return self.whole.get(place) or self.whole.get(place[:2], frozenset())

    def by_id(self, section: str) -> dict[str, Item]:
        """The first item of each id."""
        found: dict[str, Item] = {}
        for _, item in self.items(section, "id"):
            found.setdefault(item["id"], item)
        return found


def tree_of(document: Mapping[str, Any], faulty: Iterable[Place], known: Known) -> PlanTree:
    """The tree of a document without what stands at the ``faulty`` places."""
    inside: dict[tuple[str, int | None], list[Place]] = {}
    broken: set[str] = set()
    for place in faulty:
        section = str(place[0]) if place else ""
        if len(place) > 1 and isinstance(place[1], int):
            inside.setdefault((section, place[1]), []).append(place[2:])
        elif len(place) > 1:
            inside.setdefault((section, None), []).append(place[1:])
        else:
            broken.add(section)
    sections: dict[str, list[tuple[int, Item]]] = {}
    ids: dict[str, frozenset[str]] = {}
    for name, value in document.items():
        if not isinstance(value, list) or name in broken:
            continue
        sections[name] = list(_items(name, value, inside))
        ids[name] = frozenset(
            item["id"]
            for item in value
            if isinstance(item, dict) and isinstance(item.get("id"), str)
        )
    single = {
        name: without(value, inside.get((name, None), ()))
        for name in ("programme", "policy")
        if isinstance(value := document.get(name), dict) and name not in broken
    }
    return PlanTree(
        sections,
        ids,
        single.get("programme"),
        _filled(known.policy, single.get("policy", {})),
        *_regions_of(sections.get("regions", ())),
        frozenset(broken),
        frozenset(
            name for (name, _), places in inside.items() if name in sections and not all(places)
        ),
        frozenset(str(place[0]) for place in inside.get(("policy", None), ())),
    )


def _items(
    name: str, value: Sequence[Any], inside: Mapping[tuple[str, int | None], Sequence[Place]]
) -> Iterator[tuple[int, Item]]:
    for index, item in enumerate(value):
        places = inside.get((name, index), ())
        if isinstance(item, dict) and all(places):
            yield index, without(item, places) if places else item


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
        if "id" not in region:
            continue
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

"""Items of a plan without the fields whose shape is wrong, so that what stands beside can be checked.

A check that concludes something from a field's absence asks ``unsure`` first: the field may be there,
and wrong. Must not know any section.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Place = Sequence[int | str]


class Partial(dict[str, Any]):
    """An object without its faulty fields, which ``unsure`` names."""

    unsure: frozenset[str] = frozenset()


def without(item: Mapping[str, Any], places: Iterable[Place]) -> Partial:
    """``item`` without what stands at ``places`` in it. Of a list with a faulty entry nothing is kept,
    unless its entries are objects: those are kept without their own faulty fields."""
    kept = Partial(item)
    by_field: dict[str, list[Place]] = {}
    for place in places:
        by_field.setdefault(str(place[0]), []).append(place[1:])
    for name, inner in by_field.items():
        mended = _mended(item.get(name), inner)
        if mended is None:
            kept.pop(name, None)
            kept.unsure |= {name}
        else:
            kept[name] = mended
    return kept


def _mended(value: Any, places: Sequence[Place]) -> Any:
    """What is left of a field with faults at ``places`` in it; None if nothing is."""
    if not all(places):
        return None
    if isinstance(value, dict):
        return without(value, places)
    if not isinstance(value, list):
        return None
    entries = list(value)
    by_entry: dict[int, list[Place]] = {}
    for place in places:
        if len(place) < 2 or not isinstance(place[0], int) or place[0] >= len(value):
            return None
        by_entry.setdefault(place[0], []).append(place[1:])
    for index, inner in by_entry.items():
        if not isinstance(value[index], dict):
            return None
        entries[index] = without(value[index], inner)
    return entries


def unsure(item: Any, *names: str) -> bool:
    """Whether a field of these (of all, without names) was given and left out for its shape."""
    return isinstance(item, Partial) and bool(
        item.unsure if not names else item.unsure.intersection(names)
    )

"""Words exclusive assignments that clash: one fault for each cause, however many pairs it makes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from dealreg_registration.domain.plan_fault import Fault, join
from dealreg_registration.domain.plan_tree import Item, Window

SHOWN = 12
"""Others that a sentence names."""


class Exclusive(NamedTuple):
    """An exclusive assignment with the dimensions of its territory."""

    path: str
    id: str
    territory: str
    holder: str
    days: Window
    shape: tuple[str, bool, bool, bool, bool, bool]
    places: frozenset[str]
    segments: frozenset[str]
    lines: frozenset[str]
    industry: frozenset[tuple[str, str]]
    matched: Item


Pair = tuple[Exclusive, Exclusive]


def clashes(meeting: Mapping[tuple[str, str], Sequence[Pair]]) -> Iterator[Fault]:
    """The faults. ``meeting`` has the pairs that clash by the ids of their territories, sorted."""
    beside: dict[str, dict[str, Pair]] = {}
    for (one, other), pairs in meeting.items():
        if one == other:
            yield _within(one, pairs)
            continue
        beside.setdefault(one, {})[other] = pairs[0]
        beside.setdefault(other, {})[one] = pairs[0]
    last = {id_: max(map(_latest, met.values())) for id_, met in beside.items()}
    # The widest first: what meets many is the cause, and the many are not named again.
    for id_ in sorted(beside, key=lambda id_: (-len(beside[id_]), -last[id_], id_)):
        met = beside[id_]
        if met:
            yield _between(id_, list(met.values()))
            for territory in met:
                del beside[territory][id_]
            beside[id_] = {}


def _within(territory: str, pairs: Iterable[Pair]) -> Fault:
    members = {each.path: each for pair in pairs for each in pair}
    ordered = sorted(members.values(), key=_index)
    return Fault(
        join(ordered[-1].path, "exclusive"),
        "exclusives_clash",
        f"Territory `{territory}` is given exclusively to several at a time: {_named(ordered)}.",
        "one exclusive holder at a time",
    )


def _between(territory: str, pairs: Sequence[Pair]) -> Fault:
    own = sorted(
        (each for pair in pairs for each in pair if each.territory == territory), key=_index
    )
    others = sorted(
        (each for pair in pairs for each in pair if each.territory != territory), key=_index
    )
    met = _named(others, territories=True)
    named = max(own[-1], others[-1], key=_index) if len(others) == 1 else own[-1]
    return Fault(
        join(named.path, "exclusive"),
        "exclusives_clash",
        f"The exclusive assignment `{own[-1].id}` (territory `{territory}`) can match the same claim "
        f"as {met}, and neither territory is the more specific one.",
        "territories that do not meet, one more specific than the other, or other days",
    )


def _named(members: Sequence[Exclusive], *, territories: bool = False) -> str:
    names = [
        f"`{each.id}` (territory `{each.territory}`)" if territories else f"`{each.id}`"
        for each in members
    ]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _latest(pair: Pair) -> int:
    return max(_index(pair[0]), _index(pair[1]))


def _index(one: Exclusive) -> int:
    return int(one.path.rpartition("/")[2])

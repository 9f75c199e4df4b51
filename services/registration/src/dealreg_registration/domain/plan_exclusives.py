"""Check of a plan: no two exclusive assignments of equal specificity may meet (rules.md, rule 3).

Two meet when some claim could match both territories with the same specificity, at the same time, for
different holders. Territories of equal specificity that meet share a value of their most specific
dimension of place, and of segment, product line and industry where they ask for them; so they are sorted
into groups by shared values until groups are small, and only within a group compared one by one.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Any

from dealreg_registration.domain.plan_clashes import Exclusive, Pair, clashes
from dealreg_registration.domain.plan_fault import Fault
from dealreg_registration.domain.plan_partial import unsure
from dealreg_registration.domain.plan_tree import Item, PlanTree, listing, window

SMALL_GROUP = 24
MOST_CLASHES = 20_000
MOST_COMPARISONS = 2_000_000

_PLACES = ("regions", "countries", "subdivisions", "cities", "postal_prefixes", "accounts")
"""From the least to the most specific; a territory's place is as specific as the last one it uses."""


def check_exclusives(tree: PlanTree) -> Iterator[Fault]:
    """A fault for each territory that has several exclusive holders, and for each that meets others.

    One exclusive that is too wide meets many: it is named once, with all that it meets.
    """
    groups: dict[Any, list[Exclusive]] = {}
    for exclusive in _exclusives(tree):
        groups.setdefault(exclusive.shape, []).append(exclusive)
    found: set[tuple[str, str]] = set()
    meeting: dict[tuple[str, str], list[Pair]] = {}
    budget = [MOST_COMPARISONS]
    for shape in sorted(groups):
        for first, second in _pairs(groups[shape], _SPLITS, budget):
            pair = (first.path, second.path)
            if pair in found or not _meet(first, second, tree):
                continue
            found.add(pair)
            territories = sorted((first.territory, second.territory))
            meeting.setdefault((territories[0], territories[1]), []).append((first, second))
            if len(found) >= MOST_CLASHES:
                break
    yield from clashes(meeting)
    if len(found) >= MOST_CLASHES:
        yield _unfinished(f"More than {MOST_CLASHES} pairs of exclusive assignments clash.")
    if budget[0] <= 0:
        yield _unfinished("Too many exclusive assignments meet in one place to compare them all.")


def _unfinished(sentence: str) -> Fault:
    return Fault("/assignments", "exclusives_clash", sentence, "fewer exclusives in one place")


def _exclusives(tree: PlanTree) -> Iterator[Exclusive]:
    territories = tree.by_id("territories")
    for path, item in tree.items("assignments", "id", "territory"):
        territory = territories.get(item["territory"])
        if unsure(item) or unsure(territory) or unsure((territory or {}).get("match")):
            continue  # what it covers, and when, cannot be told
        if not item.get("exclusive") or territory is None or territory.get("overlay"):
            continue
        days = window(item)
        if days.start is not None and days.end is not None and days.end <= days.start:
            continue
        matched: Item = territory.get("match") or {}
        level = next((name for name in reversed(_PLACES) if matched.get(name)), "")
        industry = frozenset(
            (kind, prefix) for kind in ("naics", "sic") for prefix in listing(matched, kind)
        )
        segments = frozenset(listing(matched, "segments"))
        lines = frozenset(listing(matched, "product_lines"))
        yield Exclusive(
            path,
            item["id"],
            territory["id"],
            f"partner {item['partner']}" if item.get("partner") else f"direct {item.get('direct')}",
            days,
            (
                level,
                bool(matched.get("postal_prefixes")),
                bool(industry),
                bool(segments),
                bool(lines),
                bool(matched.get("tags")),
            ),
            _values(matched, level) if level else frozenset(),
            segments,
            lines,
            industry,
            matched,
        )


def _values(matched: Item, name: str) -> frozenset[str]:
    values = listing(matched, name)
    return frozenset(map(_city, values)) if name == "cities" else frozenset(values)


def _city(text: str) -> str:
    country, _, city = text.partition(":")
    return f"{country.upper()}:{city.casefold().strip()}"


_SPLITS: tuple[Callable[[Exclusive], frozenset[Any]], ...] = (
    lambda one: one.places,
    lambda one: one.lines,
    lambda one: one.segments,
    # NAICS and SIC prefixes of one length can meet: a company has a code of each.
    lambda one: frozenset(len(prefix) for _, prefix in one.industry),
    lambda one: (
        frozenset(prefix for kind, prefix in one.industry if kind == "naics")
        if all(kind == "naics" for kind, _ in one.industry)
        else frozenset()
    ),
)


def _pairs(
    group: Sequence[Exclusive],
    splits: Sequence[Callable[[Exclusive], frozenset[Any]]],
    budget: list[int],
) -> Iterator[tuple[Exclusive, Exclusive]]:
    """Pairs of a group that may meet; a pair may come more than once."""
    if len({one.holder for one in group}) < 2:
        return
    if len(group) <= SMALL_GROUP or not splits:
        for first, second in combinations(group, 2):
            if first.holder != second.holder:
                budget[0] -= 1
                if budget[0] <= 0:
                    return
                yield first, second
        return
    parts: dict[Any, list[Exclusive]] = {}
    for one in group:
        values = splits[0](one)
        for value in values or (None,):
            parts.setdefault(value, []).append(one)
    # Those without the dimension meet everybody: they can only be told apart by the next one.
    free = parts.pop(None, []) if len(parts) > 1 else []
    if not parts:
        yield from _pairs(free, splits[1:], budget)
        return
    for part in parts.values():
        yield from _pairs([*free, *part], splits[1:], budget)


def _meet(first: Exclusive, second: Exclusive, tree: PlanTree) -> bool:
    """Whether one claim could match both with equal specificity."""
    if not first.days.overlaps(second.days):
        return False
    if first.segments and not first.segments & second.segments:
        return False
    if first.lines and not first.lines & second.lines:
        return False
    if first.industry and not _same_industry(first, second):
        return False
    if first.places:
        shared = first.places & second.places
        return any(_same_place(value, first, second, tree) for value in shared)
    return True


def _same_industry(first: Exclusive, second: Exclusive) -> bool:
    return any(
        one == other or (one[0] != other[0] and len(one[1]) == len(other[1]))
        for one in first.industry
        for other in second.industry
    )


def _same_place(value: str, first: Exclusive, second: Exclusive, tree: PlanTree) -> bool:
    """Whether all dimensions of place of both can hold together where ``value`` is."""
    level = first.shape[0]
    one, other = first.matched, second.matched
    countries = _both(one, other, "countries")
    for name in ("postal_prefixes", "cities"):
        if codes := _both(one, other, name):
            named = {code[:2] for code in codes}
            countries = named if countries is None else countries & named
    if level in ("postal_prefixes", "cities", "countries"):
        countries = {value[:2]} if countries is None else countries & {value[:2]}
    cities = _both(
        {"cities": _values(one, "cities")}, {"cities": _values(other, "cities")}, "cities"
    )
    # A postal prefix counts by its length wherever it stands, so both must match by the same one.
    postal = _both(one, other, "postal_prefixes")
    if cities == set() or postal == set():
        return False
    places = {value} if level == "subdivisions" else _both(one, other, "subdivisions")
    if places is not None and countries is not None:
        places = {code for code in places if code[:2] in countries}
    elif places is None:
        places = countries
    regions = _both(one, other, "regions")
    if places is None or regions is None:
        return places != set() and regions != set()
    return any(tree.regions_at(place) & regions for place in places)


def _both(first: Item, second: Item, name: str) -> set[str] | None:
    """What both allow in a dimension; None if neither asks for it."""
    one, other = set(first.get(name) or ()), set(second.get(name) or ())
    if one and other:
        return one & other
    return (one or other) or None

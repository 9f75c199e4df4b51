"""Checks of a plan: ids stand once, and what is referred to exists."""

from collections.abc import Collection, Iterator, Mapping

from dealreg_registration.domain.plan_fault import Fault, join, listed, nearest, warning
from dealreg_registration.domain.plan_tree import Item, PlanTree, listing

IDENTIFIED = (
    "regions",
    "segments",
    "product_lines",
    "tiers",
    "partners",
    "territories",
    "assignments",
    "named_accounts",
    "people",
)

KEYS: Mapping[str, tuple[str, ...]] = {
    "region_targets": ("region",),
    "segment_targets": ("segment",),
    "market_data": ("region", "segment"),
    "exchange_rates": ("currency",),
}
"""Sections without ids, and the fields that identify an item."""

_SINGLE: Mapping[str, tuple[tuple[str, str], ...]] = {
    "partners": (("tier", "tiers"),),
    "territories": (("minimum_tier", "tiers"),),
    "assignments": (("territory", "territories"), ("partner", "partners"), ("direct", "people")),
    "named_accounts": (("direct_owner", "people"), ("partner", "partners")),
    "region_targets": (("region", "regions"),),
    "segment_targets": (("segment", "segments"),),
    "market_data": (("region", "regions"), ("segment", "segments")),
    "people": (("partner", "partners"),),
}
_MANY: Mapping[str, tuple[tuple[str, str], ...]] = {
    "partners": (("segments", "segments"), ("certified", "product_lines")),
}
_MATCHED = (
    ("regions", "regions"),
    ("segments", "segments"),
    ("product_lines", "product_lines"),
    ("accounts", "named_accounts"),
)
_WORDS = {
    "regions": "region",
    "segments": "segment",
    "product_lines": "product line",
    "tiers": "tier",
    "partners": "partner",
    "territories": "territory",
    "assignments": "assignment",
    "named_accounts": "named account",
    "people": "person",
}
_NEAREST_ASKED = 100


def check_ids(tree: PlanTree) -> Iterator[Fault]:
    """Every id once in its section, every target once, every product code once."""
    for section in IDENTIFIED:
        first: dict[str, str] = {}
        for path, item in tree.items(section, "id"):
            id_ = item["id"]
            if id_ in first:
                yield Fault(
                    join(path, "id"),
                    "duplicate_id",
                    f"The {_WORDS[section]} id `{id_}` stands at {first[id_]} already.",
                    "an id of its own",
                )
            else:
                first[id_] = path
    for section, fields in KEYS.items():
        seen: dict[tuple[str, ...], str] = {}
        for path, item in tree.items(section, *fields):
            key = tuple(item[name] for name in fields)
            if key in seen:
                yield Fault(
                    path,
                    "duplicate_entry",
                    f"`{'/'.join(key)}` stands at {seen[key]} already.",
                    f"one entry for each {' and '.join(fields)}",
                )
            seen.setdefault(key, path)
    yield from _codes(tree)


def _codes(tree: PlanTree) -> Iterator[Fault]:
    holder = {item["id"]: item["id"] for _, item in tree.items("product_lines", "id")}
    for path, line in tree.items("product_lines", "id"):
        for index, sku in enumerate(listing(line, "skus")):
            if holder.setdefault(sku, line["id"]) != line["id"]:
                yield Fault(
                    join(path, "skus", index),
                    "duplicate_sku",
                    f"`{sku}` names product line `{holder[sku]}` already.",
                    "each SKU in one product line",
                )


def check_references(tree: PlanTree) -> Iterator[Fault]:
    """Whatever an item names exists in this plan."""
    reporter = _Reporter(tree)
    for section, single in _SINGLE.items():
        for path, item in tree.items(section):
            for name, target in single:
                if (id_ := item.get(name)) is not None:
                    yield from reporter.one(join(path, name), target, id_)
    for section, many in _MANY.items():
        for path, item in tree.items(section):
            for name, target in many:
                yield from reporter.missing(join(path, name), target, listing(item, name))
    for path, item in tree.items("territories"):
        matched: Item = item.get("match") or {}
        for name, target in _MATCHED:
            values = matched.get(name)
            if values:
                yield from reporter.missing(join(path, "match", name), target, values)
    for path, partner in tree.items("partners"):
        for index, market in enumerate(listing(partner, "priority_markets")):
            yield from reporter.market(join(path, "priority_markets", index), market, whole=False)
    for path, person in tree.items("people"):
        for index, market in enumerate(listing(person, "manages")):
            yield from reporter.market(join(path, "manages", index), market, whole=True)


class _Reporter:
    """Words unknown references. Looks for near ids a limited number of times: it is slow."""

    def __init__(self, tree: PlanTree) -> None:
        self._tree = tree
        self._left = _NEAREST_ASKED

    def ids(self, section: str) -> Collection[str]:
        return self._tree.ids.get(section, frozenset())

    def one(self, path: str, section: str, id_: str) -> Iterator[Fault]:
        if id_ not in self.ids(section) and section not in self._tree.broken:
            yield self.unknown(path, section, id_)

    def missing(self, path: str, section: str, values: Collection[str]) -> Iterator[Fault]:
        known = self.ids(section)
        seen: set[str] = set()
        for index, id_ in enumerate(values):
            if id_ not in known:
                yield from self.one(join(path, index), section, id_)
            elif id_ in seen:
                yield warning(
                    join(path, index), "repeated_value", f"`{id_}` stands here twice.", "once"
                )
            seen.add(id_)

    def unknown(self, path: str, section: str, id_: str) -> Fault:
        known = self.ids(section)
        self._left -= 1
        near = nearest(id_, known) if self._left > 0 else None
        hint = f" Did you mean `{near}`?" if near else ""
        return Fault(
            path,
            f"unknown_{_WORDS[section].replace(' ', '_')}",
            f"No {_WORDS[section]} has the id `{id_}`.{hint}",
            listed(known) or f"an id from `{section}`, which is empty",
        )

    def market(self, path: str, market: str, *, whole: bool) -> Iterator[Fault]:
        """``region/segment``, or with ``whole`` a region alone."""
        region, slash, segment = market.partition("/")
        form = "region/segment" + (" or region" if whole else "")
        if not slash and not whole:
            yield Fault(path, "bad_market", f"`{market}` is no market.", form)
            return
        yield from self.one(path, "regions", region)
        if slash:
            yield from self.one(path, "segments", segment)

"""Which partners' territories one claim could match both.

A plan may hold 100,000 territories, so territories are not compared with each other: they are put into
buckets by place, and only buckets that meet are. Within a bucket each partner stands once for each set
of other demands (product lines, industries).
"""

from collections.abc import Iterable
from itertools import product
from typing import NamedTuple

from dealreg_coverage.domain.covering import Cover
from dealreg_coverage.domain.plan import Territory


class Stand(NamedTuple):
    """A partner with what its territory asks for beside place and segment."""

    partner_id: str
    lines: frozenset[str]
    naics: frozenset[str]
    sic: frozenset[str]


Pair = tuple[str, str]
Bucket = set[Stand]


def meeting_pairs(covers: Iterable[Cover]) -> frozenset[Pair]:
    """Pairs of partner ids, each in order."""
    places = _Places()
    for cover in covers:
        for post in cover.posts:
            territory = post.territory
            stand = Stand(cover.partner_id, territory.product_lines, territory.naics, territory.sic)
            places.put(territory, stand)
    found: set[Pair] = set()
    for one, other in places.that_meet():
        for a, b in product(one, other):
            if a.partner_id != b.partner_id:
                pair = _pair(a.partner_id, b.partner_id)
                if pair not in found and _demands_meet(a, b):
                    found.add(pair)
    return frozenset(found)


class _Places:
    """Buckets by the finest place dimension of each territory below its regions."""

    def __init__(self) -> None:
        self._anywhere: Bucket = set()
        self._all: Bucket = set()
        self._countries: dict[str, Bucket] = {}
        self._subdivisions: dict[str, Bucket] = {}
        self._cities: dict[str, Bucket] = {}
        self._postal: dict[str, Bucket] = {}
        self._within: dict[str, dict[str, Bucket]] = {}
        """Country -> kind of finer place -> all that stand somewhere in it."""

    def put(self, territory: Territory, stand: Stand) -> None:
        self._all.add(stand)
        if territory.postal_prefixes:
            self._put_fine("postal", self._postal, territory.postal_prefixes, stand)
        elif territory.cities:
            self._put_fine("city", self._cities, territory.cities, stand)
        elif territory.subdivisions:
            self._put_fine("subdivision", self._subdivisions, territory.subdivisions, stand)
        elif territory.countries:
            for code in territory.countries:
                self._countries.setdefault(code, set()).add(stand)
        else:
            self._anywhere.add(stand)

    def that_meet(self) -> Iterable[tuple[Bucket, Bucket]]:
        yield self._anywhere, self._all
        for country, bucket in self._countries.items():
            yield bucket, bucket
            for finer in self._within.get(country, {}).values():
                yield bucket, finer
        for kinds in self._within.values():
            # Where a city lies in a country is not known here: it may be in any part of it.
            yield kinds.get("postal", set()), kinds.get("city", set())
            yield kinds.get("postal", set()), kinds.get("subdivision", set())
            yield kinds.get("city", set()), kinds.get("subdivision", set())
        for buckets in (self._subdivisions, self._cities):
            for bucket in buckets.values():
                yield bucket, bucket
        for prefix, bucket in self._postal.items():
            for length in range(len(prefix), len("CC:"), -1):
                yield bucket, self._postal.get(prefix[:length], set())

    def _put_fine(
        self, kind: str, buckets: dict[str, Bucket], codes: Iterable[str], stand: Stand
    ) -> None:
        for code in codes:
            buckets.setdefault(code, set()).add(stand)
            self._within.setdefault(code[:2], {}).setdefault(kind, set()).add(stand)


def _demands_meet(one: Stand, other: Stand) -> bool:
    if one.lines and other.lines and one.lines.isdisjoint(other.lines):
        return False
    if one.naics and other.naics and not one.sic and not other.sic:
        return _prefixes_meet(one.naics, other.naics)
    if one.sic and other.sic and not one.naics and not other.naics:
        return _prefixes_meet(one.sic, other.sic)
    return True


def _prefixes_meet(one: frozenset[str], other: frozenset[str]) -> bool:
    """Two prefixes meet if one begins with the other."""
    return any(a.startswith(b) or b.startswith(a) for a in one for b in other)


def _pair(one: str, other: str) -> Pair:
    return (one, other) if one < other else (other, one)

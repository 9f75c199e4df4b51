"""Territory match: the index against a linear scan, at 1,000 and at 100,000 territories.

Both plans give every target exactly ten hits, so that what differs is the number of territories alone.
"""

import gc
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from statistics import median
from time import perf_counter_ns

from benchmarks.report import Row
from dealreg_registration.domain.match import Target, TerritoryIndex
from dealreg_registration.domain.territory import Territory

HITS = 10
SMALL, LARGE = 1_000, 100_000
SCAN_GOAL, SIZE_GOAL = 500.0, 1.5
INDUSTRIES = ("11", "22", "31", "42", "51", "52", "54", "62")


@dataclass(frozen=True, slots=True)
class Measured:
    """Microseconds per look-up, medians."""

    territories: int
    find: float
    scan: float
    build: float


def territories(count: int) -> list[Territory]:
    """``count`` territories in groups of ten that overlap: each group has a state of its own.

    A group holds what real plans hold: postal prefixes, industries, segments, lines and a whole state.
    """
    made: list[Territory] = []
    for group in range(count // HITS):
        state, industry = f"US-{group:05d}", INDUSTRIES[group % len(INDUSTRIES)]
        postal = f"US:{group:05d}77"
        base = f"t{group:05d}"
        for number in range(HITS):
            kind, name = number % 5, f"{base}-{number}"
            place = frozenset({state})
            if kind == 0:
                made.append(Territory(name, name, postal_prefixes=(postal[: 8 + number // 5],)))
            elif kind == 1:
                made.append(Territory(name, name, subdivisions=place, naics=(industry,)))
            elif kind == 2:
                made.append(Territory(name, name, subdivisions=place, segments=frozenset({"smb"})))
            elif kind == 3:
                made.append(
                    Territory(name, name, subdivisions=place, product_lines=frozenset({"platform"}))
                )
            else:
                made.append(Territory(name, name, subdivisions=place))
    return made


def target(group: int) -> Target:
    """A filing that every territory of a group covers."""
    return Target(
        region="na",
        country="US",
        subdivision=f"US-{group:05d}",
        postal=f"US:{group:05d}77",
        segment="smb",
        naics=f"{INDUSTRIES[group % len(INDUSTRIES)]}1110",
        product_line="platform",
    )


def measure(count: int, finds: int, scans: int) -> Measured:
    """Time ``finds`` look-ups and ``scans`` scans of an index of ``count`` territories.

    Raises AssertionError if an answer has not ten hits or a scan finds otherwise.
    """
    listed = territories(count)
    started = perf_counter_ns()
    index = TerritoryIndex(listed)
    build = (perf_counter_ns() - started) / 1000
    gc.collect()
    gc.freeze()  # as the product does once a plan is loaded
    random = Random(7)
    targets = [target(random.randrange(count // HITS)) for _ in range(finds)]
    for it in targets[:scans]:
        found = index.find(it)
        assert len(found) == HITS, f"{len(found)} hits"
        assert found == index.scan(it)
    find = median(_time(index.find, it) for it in targets)
    scan = median(_time(index.scan, it) for it in targets[:scans])
    gc.unfreeze()
    return Measured(count, find, scan, build)


def _time(look_up: Callable[[Target], object], it: Target) -> float:
    started = perf_counter_ns()
    look_up(it)
    return (perf_counter_ns() - started) / 1000


def run(
    *, small: int = SMALL, large: int = LARGE, finds: int = 5_000, scans: int = 15
) -> list[Row]:
    """Measure both sizes, twice in turn, and return the table's rows."""
    rounds = [(measure(small, finds, scans), measure(large, finds, scans)) for _ in range(2)]
    few, many = (min(sizes, key=lambda it: it.find) for sizes in zip(*rounds, strict=True))
    faster, dearer = many.scan / many.find, many.find / few.find
    rows = [
        {
            "territories": f"{it.territories:,}",
            "find, us": f"{it.find:.1f}",
            "linear scan, us": f"{it.scan:,.0f}",
            "scan / find": f"{it.scan / it.find:,.0f} x",
            "built in, ms": f"{it.build / 1000:,.0f}",
        }
        for it in (few, many)
    ]
    rows[1]["scan / find"] += f" (goal {SCAN_GOAL:.0f}: {_word(faster >= SCAN_GOAL)})"
    rows[1]["find, against the smaller"] = (
        f"{dearer:.2f} x (goal at most {SIZE_GOAL}: {_word(dearer <= SIZE_GOAL)})"
    )
    return list(rows)


def _word(reached: bool) -> str:
    return "reached" if reached else "missed"

"""Which markets an assignment covers, and who covers a market on a day.

A territory covers the markets that it intersects: the regions of its places, and its segments. Three
kinds of standing follow (rules.md, sections 1 and 5):

* ``covering``: a non-overlay territory. Counts for scores, headcounts, gaps and overlap risk.
* ``overlay``: a specialist on top of others. Has a score, counts for nothing else.
* ``narrow``: a territory of single accounts or tags only. Has a score, counts for nothing else, since it
  says nothing about the rest of the market.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from dealreg_coverage.domain.plan import Assignment, MarketId, Plan, Territory

Kind = Literal["covering", "overlay", "narrow"]
_BEST: Mapping[Kind, int] = {"covering": 0, "overlay": 1, "narrow": 2}


@dataclass(frozen=True, slots=True)
class Post:
    """One assignment in one market."""

    territory: Territory
    assignment: Assignment
    kind: Kind
    specificity: tuple[int, ...]
    whole_market: bool
    """Whether nothing but regions and segments narrows the territory."""


@dataclass(frozen=True, slots=True)
class Cover:
    """A partner's standing in a market: its best kind, and all posts of that kind."""

    partner_id: str
    kind: Kind
    primary: bool
    posts: tuple[Post, ...]


Posts = Mapping[MarketId, Sequence[Post]]


def regions_of(plan: Plan, territory: Territory) -> frozenset[str]:
    """The regions that a territory intersects; all its place dimensions must agree."""
    found = frozenset(plan.region_by_id)
    if territory.regions:
        found &= territory.regions
    if territory.countries:
        found &= _union(plan.regions_in(code) for code in territory.countries)
    if territory.subdivisions:
        found &= _union(_region_set(plan, code) for code in territory.subdivisions)
    for codes in (territory.postal_prefixes, territory.cities):
        if codes:
            found &= _union(plan.regions_in(code[:2]) for code in codes)
    if territory.accounts:
        places = [plan.named_accounts[a] for a in territory.accounts if a in plan.named_accounts]
        found &= frozenset(
            region
            for place in places
            if (region := plan.region_of(place.country, place.subdivision)) is not None
        )
    return found


def markets_of(plan: Plan, territory: Territory) -> tuple[MarketId, ...]:
    """The markets that a territory intersects, in the plan's order."""
    regions = regions_of(plan, territory)
    return tuple(
        market
        for market in plan.markets
        if market.region in regions
        and (not territory.segments or market.segment in territory.segments)
    )


def posts_on(plan: Plan, day: date) -> Posts:
    """Every assignment in force on a day, by market. Depends on nothing but plan and day."""
    found: dict[MarketId, list[Post]] = {}
    for territory in plan.territories:
        current = [a for a in territory.assignments if _counts(plan, territory, a, day)]
        if not current:
            continue
        kind = _kind(territory)
        specificity = _specificity(territory)
        whole = not any(
            (
                territory.countries,
                territory.subdivisions,
                territory.postal_prefixes,
                territory.cities,
                territory.naics,
                territory.sic,
                territory.product_lines,
                territory.accounts,
                territory.tags,
            )
        )
        for market in markets_of(plan, territory):
            found.setdefault(market, []).extend(
                Post(territory, assignment, kind, specificity, whole) for assignment in current
            )
    return found


def covers_of(posts: Iterable[Post], active: Callable[[str], bool]) -> tuple[Cover, ...]:
    """Who has standing in a market, by partner id. Inactive partners have none.

    An exclusive assignment of the whole market takes the standing of broader non-overlay ones there.
    """
    live = [p for p in posts if p.assignment.partner_id is None or active(p.assignment.partner_id)]
    strongest = max(
        (
            post.specificity
            for post in live
            if post.assignment.exclusive and post.whole_market and post.kind == "covering"
        ),
        default=(),
    )
    by_partner: dict[str, list[Post]] = {}
    for post in live:
        partner = post.assignment.partner_id
        if partner is None or (post.kind == "covering" and post.specificity < strongest):
            continue
        by_partner.setdefault(partner, []).append(post)
    covers = []
    for partner, held in sorted(by_partner.items()):
        kind = min((post.kind for post in held), key=lambda k: _BEST[k])
        best = tuple(post for post in held if post.kind == kind)
        covers.append(Cover(partner, kind, any(p.assignment.primary for p in best), best))
    return tuple(covers)


def lines_of(plan: Plan, posts: Iterable[Post]) -> tuple[str, ...]:
    """The market's product lines: those that its non-overlay territories ask for; all of the plan's
    where one of them asks for none, or where nobody is."""
    asked: set[str] = set()
    for post in posts:
        if post.kind != "covering":
            continue
        if not post.territory.product_lines:
            return plan.product_lines
        asked |= post.territory.product_lines
    return tuple(line for line in plan.product_lines if line in asked) or plan.product_lines


def _counts(plan: Plan, territory: Territory, assignment: Assignment, day: date) -> bool:
    if not assignment.in_force(day):
        return False
    if assignment.partner_id is None:
        return True
    partner = plan.partners.get(assignment.partner_id)
    return partner is not None and (
        territory.minimum_tier_rank is None or partner.tier_rank <= territory.minimum_tier_rank
    )


def _kind(territory: Territory) -> Kind:
    if territory.overlay:
        return "overlay"
    return "narrow" if territory.accounts or territory.tags else "covering"


def _specificity(territory: Territory) -> tuple[int, ...]:
    """Greater is more specific, in the order of rules.md, section 2, rule 3."""
    place = next(
        (
            rank
            for rank, codes in (
                (6, territory.accounts),
                (5, territory.postal_prefixes),
                (4, territory.cities),
                (3, territory.subdivisions),
                (2, territory.countries),
                (1, territory.regions),
            )
            if codes
        ),
        0,
    )
    return (
        place,
        max((len(prefix) for prefix in territory.postal_prefixes), default=0),
        max((len(prefix) for prefix in (*territory.naics, *territory.sic)), default=0),
        int(bool(territory.segments)),
        int(bool(territory.product_lines)),
        int(bool(territory.tags)),
    )


def _union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*sets)


def _region_set(plan: Plan, subdivision: str) -> frozenset[str]:
    region = plan.region_of(subdivision[:2], subdivision)
    return frozenset() if region is None else frozenset({region})

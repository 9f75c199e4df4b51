"""Who covers a filing: rule 3 of the decision, also asked at every promotion and for the owner."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

from dealreg_registration.domain.facts import Facts, Location
from dealreg_registration.domain.match import Match, Specificity, Target
from dealreg_registration.domain.plan import NamedAccount, Plan, Standing
from dealreg_registration.domain.territory import Assignment, Territory


class Cover(NamedTuple):
    """An assignment that matches, of an active partner (or of direct)."""

    assignment: Assignment
    territory: Territory
    specificity: Specificity

    @property
    def partner_id(self) -> str | None:
        return self.assignment.partner_id


@dataclass(frozen=True, slots=True)
class Coverage:
    """``covering`` and ``overlays`` are best first; ``silenced`` lost standing to an exclusive.

    ``matches`` are the territories that it follows from.
    """

    covering: tuple[Cover, ...]
    overlays: tuple[Cover, ...]
    direct: Cover | None
    silenced: tuple[Cover, ...]
    matches: Sequence[Match]

    @property
    def territories(self) -> list[str]:
        """Ids of all territories that match, best first."""
        return [match.territory.id for match in self.matches]

    def standing_of(self, partner_id: str) -> Cover | None:
        """The best assignment by which a partner is in territory."""
        for cover in (*self.covering, *self.overlays):
            if cover.partner_id == partner_id:
                return cover
        return None

    def partners(self) -> list[str]:
        """Covering partners, best first, each once."""
        return list(dict.fromkeys(c.partner_id for c in self.covering if c.partner_id is not None))


def target_for(
    plan: Plan,
    facts: Facts,
    place_of_use: Location,
    named: NamedAccount | None,
    product_line: str | None,
    tags: frozenset[str],
) -> Target:
    """What territories are matched against. The place of use counts, else the account's address."""
    place = place_of_use or facts.location
    city = place.city
    return Target(
        named_id=named.id if named else None,
        region=plan.region(place),
        country=place.country,
        subdivision=place.subdivision,
        postal=place.postal,
        city=f"{place.country}:{city.casefold().strip()}" if city and place.country else None,
        segment=plan.segment(facts),
        naics=facts.naics,
        sic=facts.sic,
        product_line=product_line,
        any_line=product_line is None,
        tags=tags,
    )


def covers(plan: Plan, standing: Standing, target: Target, now: datetime) -> Coverage:
    """All covering partners, most specific first; ties by primary role, then territory id."""
    return _covering(plan, standing, plan.territories.find(target), now)


def covers_line(
    any_line: Coverage, plan: Plan, standing: Standing, product_line: str, now: datetime
) -> Coverage:
    """What ``covers`` says of one product line, from what it said of the same target with any line."""
    matches = [
        match
        for match in any_line.matches
        if not match.territory.product_lines or product_line in match.territory.product_lines
    ]
    if len(matches) == len(any_line.matches):
        return any_line
    return _covering(plan, standing, matches, now)


def _covering(plan: Plan, standing: Standing, matches: Sequence[Match], now: datetime) -> Coverage:
    day = now.date()
    regular: list[Cover] = []
    overlays: list[Cover] = []
    direct: list[Cover] = []
    for territory, specificity in matches:
        for assignment in territory.assignments:
            if not assignment.in_force(day):
                continue
            cover = Cover(assignment, territory, specificity)
            if assignment.partner_id is None:
                direct.append(cover)
                continue
            partner = plan.partners.get(assignment.partner_id)
            if partner is None or not standing.active(partner.id, now):
                continue
            if (
                territory.minimum_tier_rank is not None
                and partner.tier_rank > territory.minimum_tier_rank
            ):
                continue
            (overlays if territory.overlay else regular).append(cover)
    for group in (regular, overlays, direct):
        if len(group) > 1:
            group.sort(key=_tie)
            group.sort(key=_specificity, reverse=True)
    strongest = max(
        (c.specificity for c in (*regular, *direct) if c.assignment.exclusive), default=None
    )
    silenced: Sequence[Cover] = ()
    if strongest is not None:
        silenced = [c for c in regular if c.specificity < strongest]
        regular = [c for c in regular if c.specificity >= strongest]
    return Coverage(
        tuple(regular),
        tuple(overlays),
        direct[0] if direct else None,
        tuple(silenced),
        matches,
    )


_specificity = attrgetter("specificity")


def _tie(cover: Cover) -> tuple[bool, str, str]:
    return (not cover.assignment.primary, cover.territory.id, cover.assignment.id)

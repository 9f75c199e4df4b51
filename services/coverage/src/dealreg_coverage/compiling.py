"""Turns the parts of a published plan into the plan that coverage reads.

The parts come from ``dealreg.plan`` and were validated before they were published; what is not needed
here is not looked at, so that a plan of a later format can still be read.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from dealreg_coverage.domain.plan import (
    Assignment,
    MarketId,
    NamedAccount,
    Partner,
    Plan,
    Region,
    RegionTarget,
    Segment,
    SegmentTarget,
    Site,
    Territory,
    Weights,
)
from dealreg_coverage.domain.sums import cents

Item = Mapping[str, Any]
Sections = Mapping[str, Sequence[Item]]


def compile_plan(
    number: int, in_force_from: datetime, content_hash: str, sections: Sections
) -> Plan:
    """The plan from its sections' items, in the order in which they were sent."""
    policy: Item = next(iter(sections.get("policy", ())), {})
    programme: Item = next(iter(sections.get("programme", ())), {})
    ranks = {tier["id"]: int(tier["rank"]) for tier in sections.get("tiers", ())}
    return Plan(
        number=number,
        in_force_from=in_force_from,
        content_hash=content_hash,
        currency=programme.get("currency", ""),
        regions=tuple(
            Region(r["id"], r["name"], _set(r, "countries"), _set(r, "subdivisions"))
            for r in sections.get("regions", ())
        ),
        segments=tuple(Segment(s["id"], s["name"]) for s in sections.get("segments", ())),
        product_lines=tuple(line["id"] for line in sections.get("product_lines", ())),
        partners={p["id"]: _partner(p, ranks) for p in sections.get("partners", ())},
        territories=_territories(sections, ranks),
        named_accounts={
            a["id"]: NamedAccount(a["id"], a.get("country"), a.get("subdivision"))
            for a in sections.get("named_accounts", ())
        },
        region_targets={
            t["region"]: RegionTarget(
                int(t["minimum_partners"]), int(t["maximum_partners"]), _cents(t, "revenue_goal")
            )
            for t in sections.get("region_targets", ())
        },
        segment_targets={
            t["segment"]: SegmentTarget(int(t["partner_share"]), _cents(t, "deal_size"))
            for t in sections.get("segment_targets", ())
        },
        potentials={
            MarketId(m["region"], m["segment"]): _cents(m, "potential") or 0
            for m in sections.get("market_data", ())
        },
        score_target=10 * int(policy.get("score_target", 80)),
        weights=Weights(
            **{
                name: int(weight)
                for name, weight in (policy.get("score_weights") or {}).items()
                if name in Weights.__dataclass_fields__
            }
        ),
    )


def _partner(item: Item, ranks: Mapping[str, int]) -> Partner:
    return Partner(
        id=item["id"],
        name=item["name"],
        tier_rank=ranks.get(item["tier"], 1_000_000),
        sites=tuple(
            Site(s["country"], s.get("subdivision"), bool(s.get("office")), int(s.get("reps") or 0))
            for s in item.get("sites") or ()
        ),
        segments=_set(item, "segments"),
        certified=_set(item, "certified"),
        priority_markets=_set(item, "priority_markets"),
    )


def _territories(sections: Sections, ranks: Mapping[str, int]) -> tuple[Territory, ...]:
    assignments: dict[str, list[Assignment]] = {}
    for item in sections.get("assignments", ()):
        assignments.setdefault(item["territory"], []).append(
            Assignment(
                id=item["id"],
                partner_id=item.get("partner"),
                primary=item.get("role", "primary") == "primary",
                exclusive=bool(item.get("exclusive")),
                valid_from=_day(item, "valid_from"),
                valid_to=_day(item, "valid_to"),
            )
        )
    return tuple(
        _territory(item, tuple(assignments.get(item["id"], ())), ranks)
        for item in sections.get("territories", ())
    )


def _territory(
    item: Item, assignments: tuple[Assignment, ...], ranks: Mapping[str, int]
) -> Territory:
    match: Item = item.get("match") or {}
    minimum = item.get("minimum_tier")
    return Territory(
        id=item["id"],
        regions=_set(match, "regions"),
        countries=_set(match, "countries"),
        subdivisions=_set(match, "subdivisions"),
        postal_prefixes=_set(match, "postal_prefixes"),
        cities=frozenset(city[:3] + city[3:].casefold() for city in _set(match, "cities")),
        segments=_set(match, "segments"),
        naics=_set(match, "naics"),
        sic=_set(match, "sic"),
        product_lines=_set(match, "product_lines"),
        accounts=_set(match, "accounts"),
        tags=_set(match, "tags"),
        overlay=bool(item.get("overlay")),
        minimum_tier_rank=None if minimum is None else ranks.get(minimum),
        assignments=assignments,
    )


def _set(item: Item, name: str) -> frozenset[str]:
    values: Iterable[str] = item.get(name) or ()
    return frozenset(values)


def _cents(item: Item, name: str) -> int | None:
    value = item.get(name)
    return None if value is None else cents(Decimal(str(value)))


def _day(item: Item, name: str) -> date | None:
    value = item.get(name)
    return None if value is None else date.fromisoformat(value)

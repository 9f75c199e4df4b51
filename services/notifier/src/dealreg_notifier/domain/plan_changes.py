"""What a new plan changes for one partner: its own terms before and after, nobody else's.

Works on the items of a plan's sections as plain mappings, because a projection outlives the model that
wrote it. Must not look at another partner's assignments.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Items = Sequence[Mapping[str, Any]]
Sections = Mapping[str, Items]

MATCH_WORDS = {
    "regions": "regions",
    "countries": "countries",
    "subdivisions": "subdivisions",
    "postal_prefixes": "postal codes",
    "cities": "cities",
    "segments": "segments",
    "naics": "NAICS",
    "sic": "SIC",
    "product_lines": "product lines",
    "accounts": "accounts",
    "tags": "tags",
}


@dataclass(frozen=True, slots=True)
class Assigned:
    """One territory of a partner: its definition, and the terms it is assigned on."""

    name: str
    definition: tuple[str, ...]
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything in a plan that is about one partner."""

    tier: str
    protection_days: int | None
    segments: frozenset[str] = frozenset()
    certified: frozenset[str] = frozenset()
    territories: Mapping[str, Assigned] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """One change in words' raw material; ``kind`` selects the sentence."""

    kind: str
    what: str = ""
    former: str = ""
    new: str = ""
    details: tuple[str, ...] = ()


def terms_by_partner(sections: Sections) -> dict[str, Terms]:
    """The terms of every partner that a plan lists."""
    tiers = {tier["id"]: tier for tier in sections.get("tiers", ())}
    segments = _names(sections, "segments")
    lines = _names(sections, "product_lines")
    territories = {item["id"]: item for item in sections.get("territories", ())}
    policy_days = next((item.get("protection_days") for item in sections.get("policy", ())), None)
    assigned: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for item in sections.get("assignments", ()):
        if item.get("partner"):
            assigned.setdefault(item["partner"], {}).setdefault(item["territory"], []).append(item)
    return {
        partner["id"]: Terms(
            tier=_name(tiers.get(partner["tier"]), partner["tier"]),
            protection_days=tiers.get(partner["tier"], {}).get("protection_days") or policy_days,
            segments=frozenset(segments.get(id_, id_) for id_ in partner.get("segments", ())),
            certified=frozenset(lines.get(id_, id_) for id_ in partner.get("certified", ())),
            territories={
                territory: _assigned(territory, territories.get(territory), items, sections)
                for territory, items in assigned.get(partner["id"], {}).items()
            },
        )
        for partner in sections.get("partners", ())
    }


def changes(former: Terms | None, new: Terms | None) -> tuple[Change, ...]:
    """What the partner has to know, most important first; empty when nothing changed for it."""
    if new is None:
        return () if former is None else (Change("unlisted"),)
    if former is None:
        return (Change("listed", new=new.tier), *_territory_changes({}, new.territories))
    found: list[Change] = []
    if former.tier != new.tier:
        found.append(Change("tier", former=former.tier, new=new.tier))
    found += _territory_changes(former.territories, new.territories)
    if former.protection_days != new.protection_days:
        found.append(
            Change(
                "protection_days",
                former=str(former.protection_days),
                new=str(new.protection_days),
            )
        )
    for kind, before, after in (
        ("segment", former.segments, new.segments),
        ("certified", former.certified, new.certified),
    ):
        found += [Change(f"{kind}_added", what) for what in sorted(after - before)]
        found += [Change(f"{kind}_removed", what) for what in sorted(before - after)]
    return tuple(found)


def _territory_changes(
    before: Mapping[str, Assigned], after: Mapping[str, Assigned]
) -> Iterable[Change]:
    for id_ in sorted(after.keys() - before.keys()):
        assigned = after[id_]
        yield Change(
            "territory_added", assigned.name, details=(*assigned.terms, *assigned.definition)
        )
    for id_ in sorted(before.keys() - after.keys()):
        yield Change("territory_removed", before[id_].name)
    for id_ in sorted(before.keys() & after.keys()):
        old, new = before[id_], after[id_]
        if old.terms != new.terms:
            yield Change("terms_changed", new.name, "; ".join(old.terms), "; ".join(new.terms))
        if old.definition != new.definition:
            yield Change(
                "territory_changed",
                new.name,
                "; ".join(old.definition),
                "; ".join(new.definition),
            )


def _assigned(
    territory_id: str, territory: Mapping[str, Any] | None, items: Items, sections: Sections
) -> Assigned:
    return Assigned(
        name=_name(territory, territory_id),
        definition=() if territory is None else _definition(territory, sections),
        terms=tuple(sorted(_terms(item, sections) for item in items)),
    )


def _definition(territory: Mapping[str, Any], sections: Sections) -> tuple[str, ...]:
    """The territory's match in words, dimension by dimension; names where the plan gives any."""
    match = territory.get("match", {})
    named = {key: _names(sections, key) for key in ("regions", "segments", "product_lines")}
    named["accounts"] = _names(sections, "named_accounts")
    words = [
        f"{word}: " + ", ".join(named.get(key, {}).get(value, value) for value in match[key])
        for key, word in MATCH_WORDS.items()
        if match.get(key)
    ]
    if territory.get("overlay"):
        words.append("overlay: a specialist beside the territory's owner")
    return tuple(words) or ("everything",)


def _terms(item: Mapping[str, Any], sections: Sections) -> str:
    words = [item.get("role", "primary"), "exclusive" if item.get("exclusive") else "shared"]
    if item.get("valid_from"):
        words.append(f"from {item['valid_from']}")
    if item.get("valid_to"):
        words.append(f"until {item['valid_to']}")
    if item.get("goal") is not None:
        currency = next((p.get("currency", "") for p in sections.get("programme", ())), "")
        words.append(f"goal {item['goal']} {currency}".rstrip())
    return ", ".join(words)


def _names(sections: Sections, section: str) -> dict[str, str]:
    return {item["id"]: item.get("name", item["id"]) for item in sections.get(section, ())}


def _name(item: Mapping[str, Any] | None, fallback: str) -> str:
    return fallback if item is None else str(item.get("name", fallback))

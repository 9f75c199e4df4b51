"""Writes the two plans of the demo: plan-territorial.yaml and plan-parity.yaml.

From the data come the partners with tier, country and product families, the products and the countries
of the registrations. Everything else is invented here, from a fixed seed: sites, reps, segments,
capacity, priorities, targets, market data and people (partners' contacts have no address and read their
notices in the inbox). Run it from anywhere: ``python examples/stream/make_plans.py``; the same input
gives the same bytes.
"""

import csv
import random
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
SEED = 20250102

HEADER = """\
# {title}
#
# Made by make_plans.py; change that, not this. Partners (name, country, tier, product families) and
# products are those of the data stream. INVENTED with a fixed seed: sites, reps, segments, capacity,
# priority markets, targets, market data and people. Addresses end in .example and reach nobody.
"""

REGIONS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("na", "North America", ("US", "CA")),
    ("latam", "Latin America", ("BR", "MX")),
    ("emea-north", "Northern Europe", ("GB", "IE", "NL", "SE")),
    ("emea-central", "Central Europe", ("DE", "FR", "CH", "HU")),
    ("emea-south", "Southern Europe", ("IT", "ES", "GR")),
    ("apac-asia", "Asia", ("JP", "SG", "HK", "CN", "IN")),
    ("apac-oceania", "Oceania", ("AU",)),
)
"""The data's sales regions, divided. Bermuda is in no region on purpose."""

SEGMENTS = (
    ("smb", "SMB", 1, 100),
    ("mid", "Mid-market", 101, 499),
    ("ent", "Enterprise", 500, None),
)
SEGMENT_TARGETS = (("smb", 60, 25_000), ("mid", 30, 100_000), ("ent", 10, 500_000))
TIERS = ("Gold", "Silver", "Registered")
CITIES = {
    "US": ("New York", "Chicago", "Dallas", "Denver", "Seattle", "Atlanta", "Boston", "Phoenix"),
    "CA": ("Toronto", "Vancouver"),
    "GB": ("London", "Leeds"),
    "DE": ("Berlin", "Munich"),
    "FR": ("Paris",),
    "NL": ("Utrecht",),
    "SE": ("Stockholm",),
    "AU": ("Sydney", "Perth"),
    "IN": ("Mumbai", "Pune"),
    "SG": ("Singapore",),
    "JP": ("Tokyo",),
    "BR": ("Recife",),
    "MX": ("Monterrey",),
}

Rows = list[dict[str, str]]


def read(name: str) -> Rows:
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def region_of(country: str) -> str:
    return next(id_ for id_, _, countries in REGIONS if country in countries)


def invented_partner(row: dict[str, str], lines: list[str], dice: random.Random) -> dict[str, Any]:
    """A partner of the data, with invented sites, segments, capacity and priorities."""
    tier = TIERS.index(row["tier"])
    cities = CITIES[row["country"]]
    chosen = dice.sample(cities, k=min(len(cities), dice.randint(1, 3 - tier)))
    segments = sorted(
        dice.sample([s[0] for s in SEGMENTS], k=dice.randint(2 if tier < 2 else 1, 3)),
        key=[s[0] for s in SEGMENTS].index,
    )
    region = region_of(row["country"])
    return {
        "id": row["partner_id"],
        "name": row["name"],
        "tier": row["tier"].lower(),
        "sites": [
            {
                "country": row["country"],
                "city": city,
                "office": index == 0 or dice.random() < 0.5,
                "reps": dice.randint(0, 3 - tier),
            }
            for index, city in enumerate(chosen)
        ],
        "segments": segments,
        "certified": lines if tier < 2 else sorted(dice.sample(lines, k=(len(lines) + 1) // 2)),
        "capacity": dice.choice((20, 30, 40)) - 10 * (tier - 1),
        "priority_markets": [f"{region}/{s}" for s in segments if dice.random() < 0.6],
    }


def territories(partners: Rows, products: Rows) -> tuple[list[Any], list[Any]]:
    """Country x product line; primary is the highest tier, then the lowest partner id."""
    found: list[Any] = []
    assignments: list[Any] = []
    for country in sorted({p["country"] for p in partners}):
        for product in products:
            covering = sorted(
                (
                    p
                    for p in partners
                    if p["country"] == country
                    and product["family"] in p["product_families"].split()
                ),
                key=lambda p: (TIERS.index(p["tier"]), p["partner_id"]),
            )
            if not covering:
                continue
            id_ = f"{country}-{product['product_id']}"
            found.append(
                {
                    "id": id_,
                    "name": f"{country}, {product['name']}",
                    "match": {"countries": [country], "product_lines": [product["product_id"]]},
                }
            )
            assignments += [
                {
                    "id": f"{id_}-{p['partner_id']}",
                    "territory": id_,
                    "partner": p["partner_id"],
                    "role": "primary" if index == 0 else "secondary",
                }
                for index, p in enumerate(covering)
            ]
    return found, assignments


def everywhere(partners: Rows) -> tuple[list[Any], list[Any]]:
    """One territory that matches everything; all partners in it, the first in order is primary."""
    order = sorted(partners, key=lambda p: (TIERS.index(p["tier"]), p["partner_id"]))
    return [{"id": "everything", "name": "Everything"}], [
        {
            "id": f"everything-{p['partner_id']}",
            "territory": "everything",
            "partner": p["partner_id"],
            "role": "primary" if index == 0 else "secondary",
        }
        for index, p in enumerate(order)
    ]


def invented_targets(partners: Rows) -> dict[str, Any]:
    """Partner targets a little above what is there, and market data, from the registrations."""
    here = Counter(region_of(p["country"]) for p in partners)
    filed: Counter[str] = Counter()
    for row in read("registrations.csv"):
        if any(row["country"] in countries for _, _, countries in REGIONS):
            filed[region_of(row["country"])] += 1
    share = {"smb": 20, "mid": 30, "ent": 50}
    return {
        "region_targets": [
            {
                "region": id_,
                "minimum_partners": here[id_],
                "maximum_partners": here[id_] + max(2, here[id_] // 2),
                "revenue_goal": filed[id_] * 10_000,
            }
            for id_, _, _ in REGIONS
        ],
        "segment_targets": [
            {"segment": id_, "partner_share": percent, "deal_size": size}
            for id_, percent, size in SEGMENT_TARGETS
        ],
        "market_data": [
            {"region": id_, "segment": segment, "potential": filed[id_] * 300 * share[segment]}
            for id_, _, _ in REGIONS
            for segment, _, _, _ in SEGMENTS
        ],
    }


def invented_people(partners: Rows) -> list[dict[str, Any]]:
    people: list[dict[str, Any]] = [
        {
            "id": f"manager-{id_}",
            "roles": ["partner_manager"],
            "manages": [id_],
            "name": f"Partner manager, {name}",
            "email": f"manager-{id_}@vendor.example",
        }
        for id_, name, _ in REGIONS
    ]
    people += [
        {"id": id_, "roles": [role], "name": name, "email": f"{id_}@vendor.example"}
        for id_, role, name in (
            ("manager", "partner_manager", "Partner manager of the programme"),
            ("vp", "vp", "VP Partnerships"),
            ("ceo", "ceo", "CEO"),
            ("reviewer", "reviewer", "Reviewer of rulings"),
        )
    ]
    people += [
        {
            "id": f"contact-{p['partner_id']}",
            "roles": ["partner_contact"],
            "partner": p["partner_id"],
            "name": f"Deal desk of {p['name']}",
        }
        for p in partners
    ]
    return people


def plan(*, parity: bool) -> dict[str, Any]:
    partners, products = read("partners.csv"), read("products.csv")
    dice = random.Random(SEED)
    matched, assigned = everywhere(partners) if parity else territories(partners, products)
    return {
        "schema": "dealreg.plan/1",
        "programme": {"name": "Demo programme", "time_zone": "UTC", "currency": "USD"},
        "regions": [
            {"id": id_, "name": name, "countries": list(countries)}
            for id_, name, countries in REGIONS
        ],
        "segments": [
            {"id": id_, "name": name, "employees_from": low, "employees_to": high}
            for id_, name, low, high in SEGMENTS
        ],
        "product_lines": [{"id": p["product_id"], "name": p["name"]} for p in products],
        "tiers": [
            {"id": name.lower(), "name": name, "rank": rank} for rank, name in enumerate(TIERS, 1)
        ],
        "partners": [
            invented_partner(
                row,
                [
                    p["product_id"]
                    for p in products
                    if p["family"] in row["product_families"].split()
                ],
                dice,
            )
            for row in partners
        ],
        "territories": matched,
        "assignments": assigned,
        **invented_targets(partners),
        "people": invented_people(partners),
        # In parity nobody settles anything, so a CEO who is told again every day would be told all year.
        # Nobody in the stream answers a referral; who made one does not get into territory by that.
        "policy": {"standby": "off", "ladder": {"ceo_repeat_hours": None}}
        if parity
        else {"referral_exhausted": "open"},
    }


class Dumper(yaml.SafeDumper):
    """Lists of plain values and small mappings on one line, so that a person can read the plan."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _flow(value: Any) -> bool:
    return isinstance(value, (str, int)) or value is None


def _sequence(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.Node:
    plain = all(_flow(item) for item in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=plain)


def _mapping(dumper: yaml.SafeDumper, value: dict[str, Any]) -> yaml.Node:
    plain = all(_flow(item) for item in value.values()) and len(value) < 6
    return dumper.represent_mapping("tag:yaml.org,2002:map", value.items(), flow_style=plain)


Dumper.add_representer(list, _sequence)
Dumper.add_representer(dict, _mapping)


def text(title: str, document: dict[str, Any]) -> str:
    body = yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)
    return HEADER.format(title=title) + body


PLANS = {
    "plan-territorial.yaml": (
        "Each partner covers its own country x its families' products.",
        False,
    ),
    "plan-parity.yaml": ("Every partner covers everything, and standby is off.", True),
}


def main() -> None:
    for name, (title, parity) in PLANS.items():
        (HERE / name).write_text(text(title, plan(parity=parity)), encoding="utf-8")


if __name__ == "__main__":
    main()

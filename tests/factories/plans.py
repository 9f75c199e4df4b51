"""A small plan without faults, for tests that change one thing in it."""

from typing import Any


def small_plan(**changes: Any) -> dict[str, Any]:
    """One country whole, one divided; a partner in each; ``changes`` replace sections."""
    plan: dict[str, Any] = {
        "schema": "dealreg.plan/1",
        "programme": {"name": "Test", "time_zone": "UTC", "currency": "USD"},
        "regions": [
            {"id": "west", "name": "West", "subdivisions": ["US-CA", "US-WA"]},
            {"id": "emea", "name": "EMEA", "countries": ["DE", "FR"]},
        ],
        "segments": [
            {"id": "smb", "name": "SMB", "employees_from": 1, "employees_to": 100},
            {"id": "ent", "name": "Enterprise", "employees_from": 101},
        ],
        "product_lines": [
            {"id": "core", "name": "Core", "skus": ["C-1"]},
            {"id": "edge", "name": "Edge", "skus": ["E-1"]},
        ],
        "tiers": [
            {"id": "gold", "name": "Gold", "rank": 1},
            {"id": "base", "name": "Base", "rank": 2},
        ],
        "partners": [
            {
                "id": "ada",
                "name": "Ada",
                "tier": "gold",
                "segments": ["smb", "ent"],
                "certified": ["core"],
                "sites": [{"country": "US", "subdivision": "US-CA", "office": True, "reps": 1}],
                "priority_markets": ["west/smb"],
            },
            {"id": "bob", "name": "Bob", "tier": "base", "segments": ["smb"]},
        ],
        "territories": [
            {"id": "t-west", "name": "West", "match": {"regions": ["west"]}},
            {"id": "t-emea", "name": "EMEA", "match": {"regions": ["emea"]}},
        ],
        "assignments": [
            {"id": "a-west", "territory": "t-west", "partner": "ada", "goal": 1000},
            {"id": "a-emea", "territory": "t-emea", "partner": "bob", "valid_from": "2027-01-01"},
        ],
        "named_accounts": [
            {"id": "big", "name": "Big Inc", "domain": "big.com", "direct_owner": "dora"}
        ],
        "region_targets": [{"region": "west", "minimum_partners": 1, "maximum_partners": 2}],
        "segment_targets": [
            {"segment": "smb", "partner_share": 60},
            {"segment": "ent", "partner_share": 40},
        ],
        "exchange_rates": [{"currency": "EUR", "rate": "1.08"}],
        "people": [
            person("mia", "partner_manager"),
            person("vic", "vp"),
            person("cleo", "ceo"),
            person("dora", "direct_owner"),
            person("ann", "partner_contact", partner="ada"),
        ],
        "policy": {"protection_days": 60},
    }
    return plan | changes


def person(id_: str, role: str, **more: Any) -> dict[str, Any]:
    """Someone with one role, a name and an address."""
    return {
        "id": id_,
        "roles": [role],
        "name": id_.title(),
        "email": f"{id_}@people.example",
    } | more

"""What a plan changes for a partner: everything of its own, nothing of another's."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dealreg_notifier.domain.plan_changes import Change, changes, terms_by_partner


def plan(**changed: Any) -> dict[str, list[dict[str, Any]]]:
    sections: dict[str, list[dict[str, Any]]] = {
        "programme": [{"name": "P", "time_zone": "UTC", "currency": "USD"}],
        "regions": [{"id": "na-west", "name": "NA West"}],
        "segments": [{"id": "smb", "name": "SMB"}, {"id": "ent", "name": "Enterprise"}],
        "product_lines": [{"id": "platform", "name": "Platform"}],
        "tiers": [
            {"id": "gold", "name": "Gold", "rank": 1, "protection_days": 120},
            {"id": "silver", "name": "Silver", "rank": 2},
        ],
        "partners": [
            {"id": "acme", "name": "Acme Corp", "tier": "silver", "segments": ["smb"]},
            {"id": "rival", "name": "Rival Inc", "tier": "gold", "segments": ["smb"]},
        ],
        "territories": [
            {"id": "t-west", "name": "West SMB", "match": {"regions": ["na-west"]}},
            {"id": "t-ent", "name": "West Enterprise", "match": {"segments": ["ent"]}},
        ],
        "assignments": [
            {"id": "a1", "territory": "t-west", "partner": "acme", "role": "primary"},
            {"id": "a2", "territory": "t-ent", "partner": "rival", "role": "primary"},
        ],
        "policy": [{"protection_days": 90}],
    }
    return {**sections, **changed}


def of(partner: str, before: dict[str, Any], after: dict[str, Any]) -> tuple[Change, ...]:
    return changes(terms_by_partner(before).get(partner), terms_by_partner(after).get(partner))


def test_the_same_plan_changes_nothing() -> None:
    assert of("acme", plan(), plan()) == ()


def test_renumbered_assignments_are_no_change() -> None:
    renamed = [
        {"id": "z9", "territory": "t-west", "partner": "acme", "role": "primary"},
    ]
    assert of("acme", plan(), plan(assignments=renamed)) == ()


def test_a_new_tier_comes_with_its_protection() -> None:
    partners = [{"id": "acme", "name": "Acme Corp", "tier": "gold", "segments": ["smb"]}]
    found = of("acme", plan(), plan(partners=partners))
    assert Change("tier", former="Silver", new="Gold") in found
    assert Change("protection_days", former="90", new="120") in found


def test_territories_gained_lost_and_redefined() -> None:
    assignments = [{"id": "a2", "territory": "t-ent", "partner": "acme", "role": "secondary"}]
    found = of("acme", plan(), plan(assignments=assignments))
    assert [(change.kind, change.what) for change in found] == [
        ("territory_added", "West Enterprise"),
        ("territory_removed", "West SMB"),
    ]
    assert found[0].details == ("secondary, shared", "segments: Enterprise")
    territories = [
        {
            "id": "t-west",
            "name": "West SMB",
            "match": {"regions": ["na-west"], "segments": ["smb"], "product_lines": ["platform"]},
        },
        plan()["territories"][1],
    ]
    (redefined,) = of("acme", plan(), plan(territories=territories))
    assert redefined == Change(
        "territory_changed",
        "West SMB",
        "regions: NA West",
        "regions: NA West; segments: SMB; product lines: Platform",
    )


def test_other_terms_on_the_same_territory() -> None:
    assignments = [
        {
            "id": "a1",
            "territory": "t-west",
            "partner": "acme",
            "role": "primary",
            "exclusive": True,
            "valid_to": "2027-01-01",
            "goal": "2000000",
        }
    ]
    (found,) = of("acme", plan(), plan(assignments=assignments))
    assert found.kind == "terms_changed"
    assert found.former == "primary, shared"
    assert found.new == "primary, exclusive, until 2027-01-01, goal 2000000 USD"


def test_segments_and_certificates() -> None:
    partners = [
        {
            "id": "acme",
            "name": "Acme Corp",
            "tier": "silver",
            "segments": ["ent"],
            "certified": ["platform"],
        }
    ]
    kinds = {(c.kind, c.what) for c in of("acme", plan(), plan(partners=partners))}
    assert kinds == {
        ("segment_added", "Enterprise"),
        ("segment_removed", "SMB"),
        ("certified_added", "Platform"),
    }


def test_a_partner_that_joins_or_leaves_the_plan() -> None:
    assert of("acme", plan(partners=[]), plan())[0] == Change("listed", new="Silver")
    assert of("acme", plan(), plan(partners=[])) == (Change("unlisted"),)
    assert of("nobody", plan(), plan()) == ()


words = st.sampled_from(["gold", "silver"])


@given(words, st.booleans(), st.sampled_from(["primary", "secondary"]), st.booleans())
def test_nothing_that_happens_to_another_partner_is_told(
    tier: str, exclusive: bool, role: str, assigned: bool
) -> None:
    partners = [
        plan()["partners"][0],
        {"id": "rival", "name": "Rival Inc", "tier": tier, "segments": []},
    ]
    assignments = [plan()["assignments"][0]]
    if assigned:
        assignments.append(
            {
                "id": "x",
                "territory": "t-west",
                "partner": "rival",
                "role": role,
                "exclusive": exclusive,
            }
        )
    assert of("acme", plan(), plan(partners=partners, assignments=assignments)) == ()

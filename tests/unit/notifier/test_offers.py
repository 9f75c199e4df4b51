"""What a notice offers at one click, and until when."""

from datetime import timedelta
from typing import Any

import pytest

from dealreg_notifier.domain.offers import MOST_AWARDS, Offer, expiry, offers
from dealreg_shared.contracts.base import format_instant
from tests.factories.notifier import DAY, FOUR_HOURS, START

CALLED = {"level": 1, "due_at": format_instant(START + FOUR_HOURS)}


def claim(number: int, state: str = "contested") -> dict[str, Any]:
    return {
        "claim_id": f"clm_{number}",
        "partner": f"Partner {number}",
        "line": "Platform",
        "state": state,
    }


def facts(*claims: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"case_kind": "overlap", "called": CALLED, "claims": list(claims), **changes}


def test_an_overlap_is_taken_upheld_awarded_or_passed_up() -> None:
    assert offers("ladder", facts(claim(1, "protected"), claim(2))) == (
        Offer("take"),
        Offer("decide", "uphold_first", (), "Partner 1", "Platform"),
        Offer("decide", "award", ("clm_2",), "Partner 2", "Platform"),
        Offer("review", "uphold_first"),
    )


def test_the_first_is_who_holds_the_line_whatever_its_place() -> None:
    _, first, other, _ = offers("case_reminder", facts(claim(1), claim(2, "extended")))
    assert (first.partner, other.claims) == ("Partner 2", ("clm_1",))


def test_a_claim_that_has_ended_is_not_offered() -> None:
    found = offers("ladder", facts(claim(1, "protected"), claim(2, "withdrawn"), claim(3)))
    assert [offer.claims for offer in found if offer.ruling == "award"] == [("clm_3",)]
    assert [o.action for o in offers("ladder", facts(claim(1, "protected")))] == ["take", "review"]


def test_nobody_is_above_the_last_level() -> None:
    last = facts(claim(1, "protected"), claim(2), called={"level": 3, "due_at": None})
    assert "review" not in [offer.action for offer in offers("ladder", last)]


def test_many_claims_are_not_a_wall_of_links() -> None:
    many = facts(claim(0, "protected"), *(claim(number) for number in range(1, 20)))
    assert len(offers("ladder", many)) == 3 + MOST_AWARDS


@pytest.mark.parametrize(
    ("kind", "rulings"),
    [
        ("possible_duplicate", ["same_account", "not_same_account"]),
        ("contradiction", []),
    ],
)
def test_other_kinds_of_cases_offer_what_a_link_can_say(kind: str, rulings: list[str]) -> None:
    found = offers("ladder", facts(claim(1), case_kind=kind))
    assert [offer.ruling for offer in found if offer.action == "decide"] == rulings


def test_an_appeal_is_left_or_granted() -> None:
    found = offers("ladder", facts(claim(1, "revoked"), claim(2, "protected"), case_kind="appeal"))
    assert found == (
        Offer("take"),
        Offer("decide", "uphold_first"),
        Offer("decide", "award", ("clm_1",), "Partner 1", "Platform"),
        Offer("review", "uphold_first"),
    )
    both = facts(claim(1, "revoked"), claim(2, "expired"), case_kind="appeal")
    assert [o.ruling for o in offers("ladder", both) if o.action == "decide"] == ["uphold_first"]


@pytest.mark.parametrize(
    ("kind", "called"), [("ladder", None), ("case_settled", CALLED), ("decision", CALLED)]
)
def test_who_is_only_told_is_offered_nothing(kind: str, called: Any) -> None:
    assert offers(kind, facts(claim(1, "protected"), claim(2), called=called)) == ()


def test_a_link_counts_until_the_deadline_and_never_longer_than_the_longest() -> None:
    own = facts(claim(1))
    assert expiry(own, START, DAY) == START + FOUR_HOURS
    assert expiry(own, START, timedelta(hours=1)) == START + timedelta(hours=1)
    assert expiry(own, START + FOUR_HOURS, DAY) == START + FOUR_HOURS + DAY
    assert expiry(facts(called={"due_at": None}), START, DAY) == START + DAY

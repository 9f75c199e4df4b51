"""What counts as naming a company or a person in a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealreg_registration.domain.mentions import mentions_partner, mentions_person

PEOPLE = ["CEO", "Will", "VP Partnerships", "Jo Buyer", "Ann-Marie  O'Neil", "", None]


@pytest.mark.parametrize(
    "text",
    ["Jo Buyer said so", "ask JO BUYER's office", "Jo\nBuyer", "see ann-marie o'neil.", "a@b.com"],
)
def test_a_full_name_or_an_address_names_a_person(text: str) -> None:
    assert mentions_person(text, PEOPLE)


@pytest.mark.parametrize(
    "text",
    [
        "The CEO will look at it",
        "Jo signed",
        "the buyer",
        "Jo Buyers",
        "VP",
        "met @ noon",
        "Jo, Buyer",
        "",
    ],
)
def test_an_ordinary_word_names_nobody(text: str) -> None:
    assert not mentions_person(text, PEOPLE)


@pytest.mark.parametrize(
    ("partner_id", "name", "text"),
    [
        ("acme", "Acme Corp", "Acme's minutes are older"),
        ("acme", "Acme Corp", "ACME CORP was first"),
        ("acme", "Acme Corp", "as acme wrote"),
        ("p-17", "North Star, Inc.", "North Star met them"),
        ("p-17", "North Star, Inc.", "p-17 met them"),
        ("p-17", "North Star, Inc.", "(north star, inc.)"),
        ("summit", "Summit", "by Summit."),
        ("x", None, "nothing"),
    ],
)
def test_a_partner_is_named_by_id_name_or_short_name(
    partner_id: str, name: str | None, text: str
) -> None:
    assert mentions_partner(text, partner_id, name) is (name is not None)


@pytest.mark.parametrize(
    ("partner_id", "name", "text"),
    [
        ("acme", "Acme Corp", "the acmeist school"),
        ("acme", "Acme Corp", "acme-like"),
        ("p-17", "North Star, Inc.", "north star of the project"),
        ("p-17", "North Star, Inc.", "p-171 and xp-17"),
        ("co", "Co", "the co is theirs"),
        ("a", "A", "A claim is a claim"),
        ("summit-1", "Summit", "at the summit"),
        ("direct-1", "Direct GmbH", "direct sales were there"),
    ],
)
def test_what_only_looks_like_a_name_is_none(partner_id: str, name: str, text: str) -> None:
    assert not mentions_partner(text, partner_id, name)


@given(st.text(max_size=60), st.text(min_size=1, max_size=12), st.text(max_size=20))
def test_any_text_and_any_name_can_be_compared(text: str, partner_id: str, name: str) -> None:
    mentions_partner(text, partner_id, name)
    mentions_person(text, [name])

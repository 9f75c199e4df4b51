"""Which account a filing is about: certain keys, strongest first, never a contradiction."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealreg_registration.domain.facts import Band, Facts, merge
from dealreg_registration.domain.identity import (
    external_key,
    name_keys,
    normalise_name,
    resolve,
)
from dealreg_registration.domains import free_mail_domains, registrable_domain

LEI, DOMAIN = "id:lei:5493", "domain:acme.com"
NAME = "name1:acme inc|US|US-CA"


def test_the_strongest_key_wins_and_the_other_account_is_reported() -> None:
    found = resolve(
        [LEI, DOMAIN, NAME],
        {LEI: "one", NAME: "two"},
        {"one": {LEI}, "two": {NAME}},
    )
    assert (found.account_id, found.matched_by, found.also) == ("one", LEI, "two")
    assert found.also_by is not None
    assert found.also_by != LEI
    assert found.attach == (DOMAIN,)


def test_a_name_does_not_identify_against_another_domain() -> None:
    found = resolve([DOMAIN, NAME], {NAME: "two"}, {"two": {NAME, "domain:other.com"}})
    assert found.account_id is None
    assert found.attach == (DOMAIN,)


def test_a_name_identifies_an_account_whose_domain_is_unknown() -> None:
    found = resolve([DOMAIN, NAME], {NAME: "two"}, {"two": {NAME}})
    assert (found.account_id, found.attach) == ("two", (DOMAIN,))


def test_another_identifier_of_the_same_issuer_contradicts_a_domain() -> None:
    found = resolve([LEI, DOMAIN], {DOMAIN: "one"}, {"one": {DOMAIN, "id:lei:9999"}})
    assert found.account_id is None
    found = resolve([LEI, DOMAIN], {DOMAIN: "one"}, {"one": {DOMAIN, "id:duns:9999"}})
    assert found.account_id == "one"


def test_no_key_names_nobody() -> None:
    assert resolve([], {}, {}).account_id is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ACME, Inc.", "Acme Inc"),
        ("Acme Incorporated", "ACME INC."),
        ("Smith & Sons", "Smith and Sons"),
        ("  Acme   Inc ", "acme inc"),
        ("Müller GmbH", "MU\u0308LLER GMBH"),
        ("O'Reilly Media", "OReilly Media"),
    ],
)
def test_spellings_of_one_legal_name(one: str, other: str) -> None:
    assert normalise_name(one) == normalise_name(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Acme Inc", "Acme LLC"),
        ("Acme", "Acme Inc"),
        ("Acme North", "Acme South"),
        ("Acme", "Akme"),
    ],
)
def test_different_legal_names_stay_different(one: str, other: str) -> None:
    assert normalise_name(one) != normalise_name(other)


@given(st.text(alphabet=st.characters(categories=["L", "N"]), min_size=1))
def test_a_name_with_a_letter_is_never_empty_and_normalising_is_stable(name: str) -> None:
    normal = normalise_name(name)
    assert normal
    assert normalise_name(normal) == normal


def test_names_need_a_place_to_identify() -> None:
    assert name_keys("Acme Inc", None, None, "94105") == []
    assert name_keys("Acme Inc", "US", None, None) == []
    assert name_keys("Acme Inc", "US", "US-CA", "94 105") == [
        "name1:acme inc|US|94105",
        "name1:acme inc|US|US-CA",
    ]


def test_identifiers_are_compared_without_blanks_and_case() -> None:
    assert external_key("LEI", "5493 001k") == external_key("lei", "5493001K")


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("HTTPS://www.Example.com/path?x=1", "example.com"),
        ("jo@mail.example.co.uk", "example.co.uk"),
        ("münchen.de", "xn--mnchen-3ya.de"),
        ("xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
        ("shop.github.io", "shop.github.io"),
        ("acme", None),
        ("10.0.0.1", None),
        ("co.uk", None),
        ("gmail.com", None),
        ("info@gmail.com", None),
        ("", None),
        ("..", None),
    ],
)
def test_the_registrable_domain_of_what_people_type(typed: str, found: str | None) -> None:
    assert registrable_domain(typed) == found


def test_free_mail_domains_are_all_there() -> None:
    assert len(free_mail_domains()) > 14_000


@given(st.text(max_size=60))
def test_no_text_breaks_the_domain_reader(typed: str) -> None:
    found = registrable_domain(typed)
    assert found is None or registrable_domain(found) == found


def test_partners_fill_in_facts_and_staff_correct_them() -> None:
    recorded = Facts(country="US", employees=Band(5, 5))
    facts, sources, refused = merge(
        recorded, Facts(country="DE", subdivision="DE-BY", naics="52"), by="partner", sources={}
    )
    assert facts == Facts(country="US", employees=Band(5, 5), naics="52")
    assert sources == {"naics": "partner"}
    assert [d.fact for d in refused] == ["country"]
    facts, sources, refused = merge(
        Facts(country="US", subdivision="US-CA"), Facts(country="DE"), by="staff", sources={}
    )
    assert facts == Facts(country="DE")
    assert (sources, refused) == ({"country": "staff"}, [])


@given(st.text(st.characters(max_codepoint=127)))
def test_an_ascii_name_is_read_as_it_would_be_beside_other_letters(name: str) -> None:
    assert normalise_name(f"{name} é") == f"{normalise_name(name)} é".strip()

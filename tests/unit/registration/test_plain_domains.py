"""A name that is taken for its own ASCII form is what IDNA makes of it."""

import idna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealreg_registration.domains import (
    _PLAIN,
    _directly_under_suffix,
    _extractor,
    _suffixes,
    registrable_domain,
)

labels = st.text("ab19-xn", min_size=1, max_size=70)


@settings(max_examples=500)
@given(st.lists(labels, min_size=1, max_size=4).map(".".join))
def test_a_plain_name_is_its_own_ascii_form(host: str) -> None:
    if len(host) < 254 and _PLAIN.fullmatch(host):
        assert idna.encode(host, uts46=True).decode() == host


@pytest.mark.parametrize(
    "typed", ["xn--a.com", "ab--cd.com", f"{'a' * 64}.com", "-a.com", "a..com", "a.b" * 90 + ".com"]
)
def test_what_idna_refuses_has_no_domain(typed: str) -> None:
    assert registrable_domain(typed) is None


def test_a_name_directly_under_a_suffix_is_what_the_public_suffix_list_says() -> None:
    suffixes = {suffix.lstrip("*.!") for suffix in _suffixes()}
    hosts = {f"{label}{suffix}" for suffix in suffixes for label in ("", "acme.", "a.acme.")}
    direct = {host for host in hosts if host.isascii() and _directly_under_suffix(host)}

    assert "acme.com" in direct
    assert "acme.ck" not in direct  # a wildcard
    assert {_extractor()(host).top_domain_under_public_suffix for host in direct} == direct

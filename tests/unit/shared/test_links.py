"""Signed links: what was signed comes back, and nothing else opens."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from dealreg_shared.links import (
    LONGEST,
    Link,
    LinkRefused,
    bytes_of,
    key_id_of,
    public_of,
    sign,
    text_of,
    verify,
)

# RFC 8032, section 7.1, test 1.
PRIVATE = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
KEYS = {key_id_of(PUBLIC): PUBLIC}
OTHER = bytes(range(32))

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
LINK = Link(
    link_id="lnk_1",
    person_id="mia",
    conflict_id="cnf_1",
    action="decide",
    issued_at=START,
    expires_at=START + timedelta(hours=4),
    ruling="award",
    claims=("clm_2",),
)
SECOND = timedelta(seconds=1)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
links = st.builds(
    Link,
    link_id=texts,
    person_id=texts,
    conflict_id=texts,
    action=texts,
    issued_at=st.just(START),
    expires_at=st.integers(1, 86_400).map(lambda seconds: START + seconds * SECOND),
    ruling=st.none() | texts,
    claims=st.lists(texts, max_size=5).map(tuple),
)


def refusal(token: str, now: datetime = START) -> str:
    with pytest.raises(LinkRefused) as refused:
        verify(token, KEYS, now)
    return refused.value.reason


def test_the_public_half_is_what_the_standard_says() -> None:
    assert public_of(PRIVATE) == PUBLIC


@given(links)
def test_what_was_signed_comes_back(link: Link) -> None:
    token = sign(link, PRIVATE)
    assert verify(token, KEYS, START) == link
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


def test_a_link_counts_until_its_expiry_and_not_at_it() -> None:
    token = sign(LINK, PRIVATE)
    assert verify(token, KEYS, LINK.expires_at - SECOND) == LINK
    with pytest.raises(LinkRefused) as refused:
        verify(token, KEYS, LINK.expires_at)
    assert (refused.value.reason, refused.value.link) == ("expired", LINK)


@given(st.data())
def test_a_single_changed_character_opens_nothing(data: st.DataObject) -> None:
    token = sign(LINK, PRIVATE)
    place = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.characters(codec="utf-8").filter(lambda c: c != token[place]))
    changed = token[:place] + character + token[place + 1 :]
    assert refusal(changed) in ("malformed", "forged", "unknown_key")


@given(st.text() | st.binary().map(text_of) | st.binary().map(lambda value: text_of(value) + "."))
def test_rubbish_is_refused(token: str) -> None:
    assert refusal(token) in ("malformed", "unknown_key")


@pytest.mark.parametrize("name", ["p", "c", "a", "e", "r", "w"])
def test_what_is_said_cannot_be_exchanged(name: str) -> None:
    body, _, signature = sign(LINK, PRIVATE).partition(".")
    content = json.loads(bytes_of(body))
    content[name] = {"e": content["e"] + 10**6, "w": ["clm_1"]}.get(name, "other")
    assert refusal(f"{text_of(json.dumps(content).encode())}.{signature}") == "forged"


def test_another_key_is_unknown_and_cannot_pose_as_ours() -> None:
    foreign = sign(LINK, OTHER)
    assert refusal(foreign) == "unknown_key"
    body = json.loads(bytes_of(foreign.partition(".")[0]))
    body["k"] = key_id_of(PUBLIC)
    posing = text_of(json.dumps(body, separators=(",", ":")).encode())
    assert refusal(f"{posing}.{foreign.partition('.')[2]}") == "forged"


def test_a_signature_for_another_purpose_does_not_fit() -> None:
    body = sign(LINK, PRIVATE).partition(".")[0]
    plain = Ed25519PrivateKey.from_private_bytes(PRIVATE).sign(body.encode())
    assert refusal(f"{body}.{text_of(plain)}") == "forged"


@pytest.mark.parametrize("wrong", [{"i": "now"}, {"e": 10**30}, {"w": "clm"}, {"w": [1]}, {"p": 1}])
def test_wrong_kinds_of_values_are_malformed(wrong: dict[str, object]) -> None:
    content = json.loads(bytes_of(sign(LINK, PRIVATE).partition(".")[0]))
    body = text_of(json.dumps({**content, **wrong}).encode())
    assert refusal(f"{body}.{text_of(bytes(64))}") == "malformed"


def test_deep_nesting_is_malformed() -> None:
    assert refusal(f"{text_of(b'[' * 1400)}.{text_of(bytes(64))}") == "malformed"


def test_a_token_that_no_mail_program_would_keep_whole_is_malformed() -> None:
    long = replace(LINK, claims=tuple(f"clm_{number}" for number in range(LONGEST)))
    assert refusal(sign(long, PRIVATE)) == "malformed"

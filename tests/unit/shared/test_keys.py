"""API keys: every made key is recognised, every mistyped one is refused without a look-up."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from dealreg_shared.auth import keys


@given(st.randoms())
def test_a_made_key_carries_its_id_and_hashes_to_what_is_stored(_seed: object) -> None:
    key_id, secret, key_hash = keys.new_key()

    assert secret.startswith("drk_")
    assert keys.key_id_of(secret) == key_id
    assert key_hash == keys.hash_key(secret) == hashlib.sha256(secret.encode()).hexdigest()


@given(st.data())
def test_one_wrong_character_is_no_key(data: st.DataObject) -> None:
    secret = keys.new_key().secret
    place = data.draw(st.integers(0, len(secret) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda char: char != secret[place]))

    assert keys.key_id_of(secret[:place] + other + secret[place + 1 :]) is None


@given(st.data())
def test_two_swapped_characters_are_no_key(data: st.DataObject) -> None:
    secret = keys.new_key().secret
    place = data.draw(st.integers(0, len(secret) - 2))
    swapped = secret[:place] + secret[place + 1] + secret[place] + secret[place + 2 :]

    assert swapped == secret or keys.key_id_of(swapped) is None


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert keys.key_id_of(text) is None
    assert len(keys.hash_key(text)) == 64


def test_keys_differ_in_id_and_secret() -> None:
    made = [keys.new_key() for _ in range(200)]

    assert len({key.key_id for key in made}) == 200
    assert len({key.secret.split("_")[2] for key in made}) == 200

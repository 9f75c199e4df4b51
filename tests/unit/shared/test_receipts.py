"""Receipts and roots: signed together, checked alone, and none that was touched is taken."""

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealreg_shared import receipts
from dealreg_shared.links import public_of
from dealreg_shared.receipts import HEIGHT, Root, Seal, Signer

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
SIGNER, PUBLIC = Signer(KEY), public_of(KEY)


def statements(count: int) -> list[bytes]:
    return [
        receipts.statement(os.urandom(16).hex(), f"reg_{n}", "2026-03-02T09:00:00.000000Z", 1, "x")
        for n in range(count)
    ]


@given(st.integers(0, 80))
def test_each_of_what_was_signed_together_stands_alone(count: int) -> None:
    stated = statements(count)
    sealed = receipts.seal(stated, SIGNER)

    assert len(sealed) == count
    for one, its in zip(stated, sealed, strict=True):
        assert receipts.is_sealed(one, its, PUBLIC)
        assert Seal.unpacked(its.packed()) == its
        assert receipts.seal_of(its.view()) == its
        assert not receipts.is_sealed(one, its, public_of(OTHER))
        assert not receipts.is_sealed(one + b" ", its, PUBLIC)
    assert len({its.signature for its in sealed}) == -(-count // 2**HEIGHT)


@given(st.integers(1, 33))
def test_a_path_does_not_tell_how_many_there_were(count: int) -> None:
    sealed = receipts.seal(statements(count), SIGNER)

    assert {len(its.path) for its in sealed} == {HEIGHT * 32}


def test_a_path_does_not_tell_the_order() -> None:
    first = {receipts.seal(statements(2), SIGNER)[0].index for _ in range(200)}

    assert len(first) == 2**HEIGHT


@given(st.data())
def test_a_seal_that_was_touched_is_none(data: st.DataObject) -> None:
    [stated] = statements(1)
    [its] = receipts.seal([stated], SIGNER)
    raw = bytearray(its.packed())
    at = data.draw(st.integers(0, len(raw) - 1).filter(lambda at: not 1 <= at <= 8))
    raw[at] ^= data.draw(st.integers(1, 255))

    assert not receipts.is_sealed(stated, Seal.unpacked(bytes(raw)), PUBLIC)
    assert not receipts.is_sealed(stated, replace(its, path=its.path[:-1]), PUBLIC)


def test_a_root_is_signed_with_all_it_says() -> None:
    root = receipts.signed_root("acme", 16, b"r" * 32, "2026-03-02T09:00:00.000000Z", SIGNER)

    assert Root.read(root.view()) == root
    assert root.is_signed(PUBLIC)
    assert not root.is_signed(public_of(OTHER))
    assert not root.is_signed(b"no key")
    for changed in (
        replace(root, log="other"),
        replace(root, size=17),
        replace(root, root=b"s" * 32),
        replace(root, sealed_at="2026-03-02T09:00:00.000001Z"),
        replace(root, signature=root.signature[:-1]),
    ):
        assert not changed.is_signed(PUBLIC)


@pytest.mark.parametrize("wrong", [{"size": "16"}, {"log": 1}, {"root": "zz"}, {"signature": "?"}])
def test_what_is_no_root_is_not_read(wrong: dict[str, object]) -> None:
    view = receipts.signed_root("acme", 16, b"r" * 32, "2026-03-02T09:00:00Z", SIGNER).view()

    with pytest.raises((TypeError, ValueError)):
        Root.read(view | wrong)


def test_a_signature_for_one_purpose_fits_no_other() -> None:
    root = receipts.signed_root("acme", 16, b"r" * 32, "2026-03-02T09:00:00Z", SIGNER)
    [stated] = statements(1)
    [its] = receipts.seal([stated], SIGNER)

    assert not receipts.is_sealed(stated, replace(its, signature=root.signature), PUBLIC)


@given(st.text(), st.text())
def test_the_spelling_of_a_body_does_not_matter_its_words_do(name: str, other: str) -> None:
    one = receipts.body_hash("s", receipts.canonical({"b": name, "a": [1, {"d": 2, "c": None}]}))
    two = receipts.body_hash("s", receipts.canonical({"a": [1, {"c": None, "d": 2}], "b": other}))

    assert (one == two) == (name == other)
    assert one != receipts.body_hash("t", receipts.canonical({"b": name}))

"""The tree is RFC 6962's: by known roots, by its definition, and by proofs that cannot be bent."""

from collections.abc import Callable, Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealreg_registration.domain import merkle
from dealreg_registration.domain.merkle import Growing

DATA = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
"""The leaves of the reference tree of Certificate Transparency, and its roots by size."""
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
KNOWN_PATHS = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*naive_path(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive_root(leaves[:k])]


def naive_proof(m: int, leaves: Sequence[bytes], whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962."""
    if m == len(leaves):
        return [] if whole else [naive_root(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*naive_proof(m, leaves[:k], whole), naive_root(leaves[k:])]
    return [*naive_proof(m - k, leaves[k:], False), naive_root(leaves[:k])]


def stored(leaves: Sequence[bytes]) -> tuple[Growing, dict[tuple[int, int], bytes]]:
    tree, nodes = Growing(), {}
    for leaf in leaves:
        for node in tree.add(leaf):
            nodes[node.level, node.index] = node.hash
    return tree, nodes


def proof(ranges: list[merkle.Range], nodes: dict[tuple[int, int], bytes]) -> list[bytes]:
    return [merkle.range_hash(*each, lambda level, index: nodes[level, index]) for each in ranges]


def leaves_of(count: int) -> list[bytes]:
    return [merkle.leaf_hash(number.to_bytes(4, "big")) for number in range(count)]


@pytest.mark.parametrize("size", range(1, 9))
def test_the_reference_tree_has_its_known_roots(size: int) -> None:
    leaves = [merkle.leaf_hash(data) for data in DATA[:size]]

    assert stored(leaves)[0].root().hex() == ROOTS[size - 1]


@pytest.mark.parametrize(("index", "size"), KNOWN_PATHS)
def test_the_reference_tree_has_its_known_paths(index: int, size: int) -> None:
    leaves = [merkle.leaf_hash(data) for data in DATA[:size]]
    found = proof(merkle.inclusion_ranges(index, size), stored(leaves)[1])

    assert [each.hex() for each in found] == KNOWN_PATHS[index, size]


def test_a_tree_without_leaves_has_the_hash_of_nothing() -> None:
    assert Growing().root() == naive_root([]) == merkle.EMPTY


@given(st.integers(1, 300), st.data())
def test_roots_and_proofs_are_those_of_the_definition(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    tree, nodes = stored(leaves)
    assert tree.root() == naive_root(leaves)
    index = data.draw(st.integers(0, size - 1))
    path = proof(merkle.inclusion_ranges(index, size), nodes)
    assert path == naive_path(index, leaves)
    assert merkle.includes(leaves[index], index, size, path, tree.root())
    old = data.draw(st.integers(1, size))
    old_root = naive_root(leaves[:old])
    grown = proof(merkle.consistency_ranges(old, size), nodes)
    assert grown == naive_proof(old, leaves)
    assert merkle.is_consistent(old, size, old_root, tree.root(), grown)


@given(st.integers(0, 20), st.integers(0, 40), st.data())
def test_whole_subtrees_may_be_added(before: int, blocks: int, data: st.DataObject) -> None:
    level = data.draw(st.integers(0, 4))
    leaves = leaves_of((before + blocks) << level)
    tree = Growing()
    for start in range(0, len(leaves), 1 << level):
        tree.add(naive_root(leaves[start : start + (1 << level)]), level)
    assert tree.root() == naive_root(leaves)
    assert tree.size == len(leaves)


@given(st.lists(st.integers(0, 40), max_size=5), st.integers(0, 4))
def test_many_leaves_at_once_make_the_same_subtrees(counts: list[int], level: int) -> None:
    leaves = leaves_of(sum(counts))
    at_once, start, made = Growing(), 0, []
    for count in counts:
        made += at_once.extend(leaves[start : start + count], level)
        start += count
    tree, nodes = stored(leaves)

    assert at_once.root() == tree.root()
    assert {(node.level, node.index): node.hash for node in made} == {
        place: hash_ for place, hash_ in nodes.items() if place[0] >= level
    }


def test_a_subtree_begins_where_it_can() -> None:
    tree = Growing()
    tree.add(leaves_of(1)[0])
    with pytest.raises(ValueError, match="level 2"):
        tree.add(leaves_of(1)[0], 2)


@given(st.integers(1, 130), st.data())
def test_a_proof_that_was_bent_proves_nothing(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    tree, nodes = stored(leaves)
    root = tree.root()
    index = data.draw(st.integers(0, size - 1))
    path = proof(merkle.inclusion_ranges(index, size), nodes)
    old = data.draw(st.integers(1, size))
    old_root = naive_root(leaves[:old])
    grown = proof(merkle.consistency_ranges(old, size), nodes)
    other = merkle.leaf_hash(b"other")

    assert not merkle.includes(other, index, size, path, root)
    assert not merkle.includes(leaves[index], index, size, path, other)
    assert not merkle.includes(leaves[index], index, size, [*path, other], root)
    assert not merkle.is_consistent(old, size, other, root, grown)
    assert not merkle.is_consistent(old, size, old_root, other, grown)
    assert not merkle.is_consistent(old, size, old_root, root, [*grown, other])
    for place in range(len(path)):
        bent = [*path[:place], other, *path[place + 1 :]]
        assert not merkle.includes(leaves[index], index, size, bent, root)
        assert not merkle.includes(
            leaves[index], index, size, path[:place] + path[place + 1 :], root
        )
    for place in range(len(grown)):
        bent = [*grown[:place], other, *grown[place + 1 :]]
        assert not merkle.is_consistent(old, size, old_root, root, bent)
    wrong = data.draw(st.integers(0, size - 1).filter(lambda at: at != index) | st.just(size))
    if size > 1:
        assert not merkle.includes(leaves[index], wrong, size, path, root)


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        (merkle.inclusion_ranges, (3, 3)),
        (merkle.inclusion_ranges, (-1, 3)),
        (merkle.consistency_ranges, (0, 3)),
        (merkle.consistency_ranges, (4, 3)),
    ],
)
def test_what_is_not_in_the_tree_has_no_proof(
    call: Callable[[int, int], object], arguments: tuple[int, int]
) -> None:
    with pytest.raises(ValueError, match="no"):
        call(*arguments)


def test_impossible_sizes_prove_nothing() -> None:
    root = naive_root(leaves_of(3))
    assert not merkle.is_consistent(0, 3, merkle.EMPTY, root, [])
    assert not merkle.is_consistent(4, 3, root, root, [])
    assert not merkle.is_consistent(3, 3, root, root, [root])
    assert not merkle.is_consistent(3, 4, root, root, [])
    assert not merkle.includes(root, 3, 3, [], root)

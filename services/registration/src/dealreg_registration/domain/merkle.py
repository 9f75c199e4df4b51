"""The tree over the log, as in RFC 6962: roots, and proofs that an entry is in it and that it only grew.

Hashes in, hashes out: a leaf is a hash here already. Ranges and subtrees are named by numbers, so that
whoever stores the hashes of subtrees can answer any proof by reading a few of them. Must not know what
an entry says.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

EMPTY = sha256(b"").digest()
"""The root of a tree without leaves."""

Range = tuple[int, int]
"""Leaves [begin, end)."""


@dataclass(frozen=True, slots=True)
class Node:
    """The root of the complete subtree over leaves [index * 2**level, (index + 1) * 2**level)."""

    level: int
    index: int
    hash: bytes


def leaf_hash(data: bytes) -> bytes:
    """The leaf that stands for ``data``."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """What stands above two hashes."""
    return sha256(b"\x01" + left + right).digest()


def joined(hashes: Sequence[bytes]) -> bytes:
    """The root over complete subtrees that become smaller from left to right."""
    if not hashes:
        return EMPTY
    *rest, result = hashes
    for left in reversed(rest):
        result = node_hash(left, result)
    return result


def whole_root(row: Sequence[bytes]) -> bytes:
    """The root over leaves whose number is a power of two."""
    while len(row) > 1:
        row = [sha256(b"\x01" + row[at] + row[at + 1]).digest() for at in range(0, len(row), 2)]
    return row[0]


def subtrees(begin: int, end: int) -> list[tuple[int, int]]:
    """The largest complete subtrees, as (level, index), of a range of a proof, from the left."""
    found = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        if begin:
            level = min(level, (begin & -begin).bit_length() - 1)
        found.append((level, begin >> level))
        begin += 1 << level
    return found


def range_hash(begin: int, end: int, hash_of: Callable[[int, int], bytes]) -> bytes:
    """The root over a range of a proof; ``hash_of(level, index)`` gives the subtrees that it needs."""
    return joined([hash_of(level, index) for level, index in subtrees(begin, end)])


@dataclass(slots=True)
class Growing:
    """A tree to which leaves are added: ``edge`` holds the complete subtrees on its right side."""

    size: int = 0
    edge: list[Node] = field(default_factory=list)

    def add(self, hash_: bytes, level: int = 0) -> list[Node]:
        """Add the root of a complete subtree; the subtrees that are complete by now, itself first.

        Raises ValueError where no subtree of that level can begin.
        """
        if self.size & ((1 << level) - 1):
            raise ValueError(f"no subtree of level {level} begins at {self.size}")
        node = Node(level, self.size >> level, hash_)
        self.size += 1 << level
        made = [node]
        while self.edge and self.edge[-1].level == node.level:
            left = self.edge.pop()
            node = Node(left.level + 1, left.index >> 1, node_hash(left.hash, node.hash))
            made.append(node)
        self.edge.append(node)
        return made

    def extend(self, leaves: Sequence[bytes], level: int) -> list[Node]:
        """Add leaves, and give the subtrees of ``level`` and above that are complete by now: the smaller
        ones are not made one by one where a subtree of ``level`` can begin."""
        made: list[Node] = []
        width = 1 << level
        start = 0
        while start < len(leaves):
            if len(leaves) - start >= width and not self.size & (width - 1):
                made += self.add(whole_root(leaves[start : start + width]), level)
                start += width
            else:
                made += [node for node in self.add(leaves[start]) if node.level >= level]
                start += 1
        return made

    def root(self) -> bytes:
        """The root over everything added so far."""
        return joined([node.hash for node in self.edge])


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The ranges whose roots prove that leaf ``index`` is in the tree of ``size``, from below."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} has no leaf {index}")
    ranges: list[Range] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((begin, middle))
            begin = middle
    return ranges[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """The ranges whose roots prove that the tree of ``new`` begins with the tree of ``old``."""
    if not 0 < old <= new:
        raise ValueError(f"no tree of {old} can have become one of {new}")
    ranges: list[Range] = []
    begin, end, whole = 0, new, True
    while old != end:
        middle = begin + _split(end - begin)
        if old <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((begin, middle))
            begin, whole = middle, False
    if not whole:
        ranges.append((begin, end))
    return ranges[::-1]


def root_from(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root to which ``path`` leads from a leaf (RFC 9162, 2.1.3.2); None: wrong length."""
    if not 0 <= index < size:
        return None
    node, last, result = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            result = node_hash(sibling, result)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            result = node_hash(result, sibling)
        node >>= 1
        last >>= 1
    return result if last == 0 else None


def includes(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether ``path`` proves that the tree with ``root`` has ``leaf`` at ``index``."""
    return root_from(leaf, index, size, path) == root


def is_consistent(
    old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether ``path`` proves that the tree of ``new`` begins with ``old`` (RFC 9162, 2.1.4.2)."""
    if not 0 < old <= new:
        return False
    if old == new:
        return not path and old_root == new_root
    hashes = list(path)
    if not old & (old - 1):
        hashes.insert(0, old_root)
    if not hashes:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node >>= 1
        last >>= 1
    first = second = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            second = node_hash(second, sibling)
        node >>= 1
        last >>= 1
    return last == 0 and first == old_root and second == new_root

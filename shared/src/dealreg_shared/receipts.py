"""What is signed about registrations: receipts, and the roots of the log. Made and checked here alone.

A signature costs more than the rest of a small decision, so the receipts that are committed together are
the leaves of a small tree whose root is signed once. Each receipt carries its path: whoever checks it
needs nothing but the receipt and the public key. The tree always has the same height and a random order,
so a path tells neither how many were committed together nor in which order. Must not know a database,
HTTP, or what was decided.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from dealreg_shared.links import bytes_of, key_id_of, public_of, text_of

HEIGHT = 5
"""Of the tree over receipts: one signature for up to 2 ** 5 of them."""

_RECEIPT = b"dealreg-receipt-1\n"
_ROOT = b"dealreg-log-root-1\n"
"""Stand before what is signed, so that no signature made for another purpose fits."""

_BODY = b"dealreg-body-1\n"
_HASH = 32


class Signer:
    """A private key, ready to sign. ``key_id`` follows from its public half."""

    def __init__(self, private_key: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(private_key)
        self.key_id = key_id_of(public_of(private_key))

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


@dataclass(frozen=True, slots=True)
class Seal:
    """What makes facts a receipt: their place in the signed tree, the way up, the signature."""

    key_id: str
    index: int
    path: bytes
    signature: bytes

    def packed(self) -> bytes:
        """As few bytes as it takes to keep it."""
        return bytes([self.index]) + bytes.fromhex(self.key_id) + self.path + self.signature

    @classmethod
    def unpacked(cls, raw: bytes) -> "Seal":
        """The inverse of ``packed``."""
        end = 9 + HEIGHT * _HASH
        return cls(raw[1:9].hex(), raw[0], raw[9:end], raw[end:])

    def view(self) -> dict[str, Any]:
        """As it stands in a receipt. Every receipt has the same length."""
        return {
            "key": self.key_id,
            "path": text_of(bytes([self.index]) + self.path),
            "signature": text_of(self.signature),
        }


def canonical(value: Any) -> bytes:
    """The one spelling of a JSON value: sorted names, no blanks, UTF-8 (RFC 8785 for values without
    fractions)."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode("utf-8", "surrogatepass")


def body_hash(salt: str, canonical_body: bytes) -> str:
    """What a receipt says of the body that was filed: nothing, without body and salt."""
    return hashlib.sha256(_BODY + salt.encode() + b"\n" + canonical_body).hexdigest()


def statement(
    number: str, registration_id: str, filed_at: str, plan_number: int, body: str | None
) -> bytes:
    """The facts of a receipt as they are signed. ``filed_at`` is RFC 3339 with microseconds.

    ``body`` is its salted hash; None where the registration was not filed but passed to its partner.
    """
    facts = {
        "body_hash": body,
        "filed_at": filed_at,
        "number": number,
        "plan_number": plan_number,
        "registration_id": registration_id,
    }
    return orjson.dumps(facts)  # in order already; five times as fast as ``canonical``


def seal(statements: Sequence[bytes], signer: Signer) -> list[Seal]:
    """Sign all ``statements``, in their order, with as few signatures as that takes."""
    most = 1 << HEIGHT
    sealed: list[Seal] = []
    for start in range(0, len(statements), most):
        sealed += _seal(statements[start : start + most], signer)
    return sealed


def _seal(statements: Sequence[bytes], signer: Signer) -> list[Seal]:
    leaves = [hashlib.sha256(b"\x00" + each).digest() for each in statements]
    fill = (1 << (len(leaves) - 1).bit_length()) - len(leaves)
    noise = os.urandom((fill + HEIGHT) * _HASH + 1)
    hashes = [noise[at : at + _HASH] for at in range(1, len(noise), _HASH)]
    # Hashes of random numbers: sorted, they are in an order that says nothing.
    row = sorted(leaves + hashes[HEIGHT:])
    place = {leaf: index for index, leaf in enumerate(row)}
    rows: list[list[bytes]] = []
    aside = 0  # above its root the tree goes on with one other hash on each level, on either side
    for level in range(HEIGHT):
        if len(row) == 1:
            row = [*row, hashes[level]]
            if noise[0] >> level & 1:
                row.reverse()
                aside |= 1 << level
        rows.append(row)
        row = [_above(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    signature = signer.sign(_RECEIPT + row[0])
    levels = [(level, len(row) - 1, row) for level, row in enumerate(rows)]
    sealed = []
    for leaf in leaves:
        index = place[leaf] | aside
        path = b"".join([row[(index >> level ^ 1) & mask] for level, mask, row in levels])
        sealed.append(Seal(signer.key_id, index, path, signature))
    return sealed


def _above(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def is_sealed(stated: bytes, sealed: Seal, public_key: bytes) -> bool:
    """Whether ``public_key`` signed a tree that has ``stated`` in it."""
    if len(sealed.path) != HEIGHT * _HASH or not 0 <= sealed.index < 1 << HEIGHT:
        return False
    result = hashlib.sha256(b"\x00" + stated).digest()
    for level in range(HEIGHT):
        sibling = sealed.path[level * _HASH : (level + 1) * _HASH]
        pair = sibling + result if sealed.index >> level & 1 else result + sibling
        result = hashlib.sha256(b"\x01" + pair).digest()
    return _signed(_RECEIPT + result, sealed.signature, public_key)


def seal_of(receipt: Mapping[str, Any]) -> Seal:
    """What a receipt carries. Raises KeyError, TypeError or ValueError where it is none."""
    path = bytes_of(receipt["path"])
    return Seal(receipt["key"], path[0] if path else 0, path[1:], bytes_of(receipt["signature"]))


@dataclass(frozen=True, slots=True)
class Root:
    """The signed root of the log ``log`` (the programme) as it was when it had ``size`` entries."""

    log: str
    size: int
    root: bytes
    sealed_at: str
    key_id: str
    signature: bytes

    def view(self) -> dict[str, Any]:
        """As it is published."""
        return {
            "log": self.log,
            "size": self.size,
            "root": self.root.hex(),
            "sealed_at": self.sealed_at,
            "key": self.key_id,
            "signature": text_of(self.signature),
        }

    @classmethod
    def read(cls, view: Mapping[str, Any]) -> "Root":
        """The inverse of ``view``. Raises KeyError, TypeError or ValueError where it is none."""
        size = view["size"]
        if type(size) is not int or not all(
            isinstance(view[name], str) for name in ("log", "sealed_at", "key")
        ):
            raise TypeError("a root has a size, and texts")
        return cls(
            view["log"],
            size,
            bytes.fromhex(view["root"]),
            view["sealed_at"],
            view["key"],
            bytes_of(view["signature"]),
        )

    def is_signed(self, public_key: bytes) -> bool:
        """Whether ``public_key`` signed it."""
        return _signed(_root_message(self), self.signature, public_key)


def signed_root(log: str, size: int, root: bytes, sealed_at: str, signer: Signer) -> Root:
    """Sign a root of the log."""
    unsigned = Root(log, size, root, sealed_at, signer.key_id, b"")
    signature = signer.sign(_root_message(unsigned))
    return Root(log, size, root, sealed_at, signer.key_id, signature)


def _root_message(it: Root) -> bytes:
    facts = {"log": it.log, "root": it.root.hex(), "sealed_at": it.sealed_at, "size": it.size}
    return _ROOT + canonical(facts)


def _signed(message: bytes, signature: bytes, public_key: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True

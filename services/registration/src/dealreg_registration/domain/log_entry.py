"""What the log holds of an audit row: a hash that says nothing by itself, and can be opened in halves.

One half says when something was done about what; the other holds who did it and the particulars, such as
a place. A partner is shown the first half of its own entry and the hash of the second. Each half has its
own salt, so that a hash cannot be guessed; erasing what stands beside the row changes none of it. Must
not know where rows and salts are kept.
"""

from dataclasses import dataclass
from hashlib import sha256

from dealreg_registration.domain.merkle import leaf_hash

SALT = 32
"""Bytes of an entry's salt; each half uses its own half of it."""

BLOCK = 16
"""Entries are sealed in blocks of so many, filled up with entries that stand for nothing: how many audit
rows an act has written is nobody's to count, and all hashes below a block's own need not be stored."""

BLOCK_LEVEL = 4
"""2 ** 4 = 16."""

_SHOWN = "dealreg-log-shown-1 "
_HIDDEN = "dealreg-log-hidden-1 "
_FILLER = b"dealreg-log-filler-1"


@dataclass(frozen=True, slots=True)
class Entry:
    """An audit row. Instants are written as RFC 3339 with microseconds; ``detail`` as it is stored."""

    audit_id: int
    at: str
    action: str
    subject: str
    actor: str
    detail: str
    recorded_at: str | None = None
    counts_from: str | None = None


def shown(at: str, action: str, subject: str, salt: bytes) -> bytes:
    """The hash of the half that its partner may see: when, what, about which registration."""
    return sha256(salt + _texts(_SHOWN, at, action, subject)).digest()


def hidden(entry: Entry, salt: bytes) -> bytes:
    """The hash of the half that is the vendor's alone."""
    parts = (str(entry.audit_id), entry.actor, entry.detail, entry.recorded_at, entry.counts_from)
    return sha256(salt + _texts(_HIDDEN, *parts)).digest()


def leaf(position: int, shown_hash: bytes, hidden_hash: bytes) -> bytes:
    """The leaf of an entry at its position."""
    return leaf_hash(position.to_bytes(8, "big") + shown_hash + hidden_hash)


def leaf_of(position: int, entry: Entry, salt: bytes) -> bytes:
    """The leaf of an audit row."""
    half = SALT // 2
    of_shown = shown(entry.at, entry.action, entry.subject, salt[:half])
    return leaf(position, of_shown, hidden(entry, salt[half:]))


def filler(position: int, salt: bytes) -> bytes:
    """The leaf of an entry that stands for nothing."""
    half = SALT // 2
    empty = [sha256(part + _FILLER).digest() for part in (salt[:half], salt[half:])]
    return leaf(position, *empty)


def _texts(kind: str, *texts: str | None) -> bytes:
    """Texts with their lengths before them, so that no two lists have the same bytes."""
    listed = ["-" if text is None else f"{len(text)}:{text}" for text in texts]
    return (kind + "".join(listed)).encode()

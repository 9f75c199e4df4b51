"""API keys: how they are made, recognised and hashed.

``drk_<32 hex digits: key id>_<43 base-62 digits: secret><6 base-62 digits: checksum>``

The prefix lets scanners find leaked keys; the id names the key in logs and tables; the secret holds 256
random bits; the checksum (CRC-32 of what stands before it) refuses a mistyped key without a look-up. It
guards against typing, not against people. At that entropy a plain SHA-256 is a safe thing to store.
"""

import hashlib
import re
import secrets
import zlib
from typing import NamedTuple

from dealreg_shared.ids import new_id

PREFIX = "drk_"
SECRET_DIGITS = 43  # 62 ** 43 > 2 ** 256
CHECKSUM_DIGITS = 6  # 62 ** 6 > 2 ** 32

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHAPE = re.compile(
    rf"{PREFIX}([0-9a-f]{{32}})_[0-9A-Za-z]{{{SECRET_DIGITS}}}([0-9A-Za-z]{{{CHECKSUM_DIGITS}}})"
)


class NewKey(NamedTuple):
    """A fresh key. ``secret`` is the whole key, to be shown once and then forgotten."""

    key_id: str
    secret: str
    key_hash: str


def new_key() -> NewKey:
    """A key that nobody has yet."""
    key_id = new_id("key")
    body = f"{PREFIX}{key_id.removeprefix('key_')}_{_base62(secrets.randbits(256), SECRET_DIGITS)}"
    secret = body + _checksum(body)
    return NewKey(key_id, secret, hash_key(secret))


def hash_key(secret: str) -> str:
    """SHA-256 of the whole key, in hexadecimal: the only form that is stored or sent."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def key_id_of(secret: str) -> str | None:
    """The id inside a well-formed key; None for anything else, also for a single wrong character."""
    match = _SHAPE.fullmatch(secret)
    if match is None or match.group(2) != _checksum(secret[:-CHECKSUM_DIGITS]):
        return None
    return f"key_{match.group(1)}"


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), CHECKSUM_DIGITS)


def _base62(number: int, digits: int) -> str:
    text = ""
    for _ in range(digits):
        number, rest = divmod(number, 62)
        text = _DIGITS[rest] + text
    return text

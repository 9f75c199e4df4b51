"""Signed links: a person's one decision on one case, written into a link that can be checked offline.

The token is the credential. It is made by the holder of the private key (notifier) and checked by
whoever knows the public one (registration), so that neither has to ask the other. Bytes in, bytes out:
must not know a database, HTTP, or whether the person may still decide; that is asked on use.
Signatures are Ed25519 (RFC 8032) over the token's own text, so there is nothing to canonicalise.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

KEY_BYTES = 32

LONGEST = 2048
"""Characters of a token. Mail programs and proxies cut longer addresses."""

_CONTEXT = b"dealreg-link-1."
"""Stands before what is signed, so that no signature made for another purpose fits."""

Refusal = Literal["malformed", "unknown_key", "forged", "expired"]


class LinkRefused(Exception):
    """The token opens nothing; ``reason`` says why, ``link`` what an expired one was for."""

    def __init__(self, reason: Refusal, link: "Link | None" = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.link = link


@dataclass(frozen=True, slots=True)
class Link:
    """What a person may do by a link: ``action`` on a case, in [issued_at, expires_at).

    ``ruling`` and ``claims`` say which ruling, where the action is to rule. Instants are whole seconds.
    """

    link_id: str
    person_id: str
    conflict_id: str
    action: str
    issued_at: datetime
    expires_at: datetime
    ruling: str | None = None
    claims: tuple[str, ...] = ()


def public_of(private_key: bytes) -> bytes:
    """The public half of a private key (32 bytes each)."""
    return Ed25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()


def key_id_of(public_key: bytes) -> str:
    """The id of a key: it follows from the public half."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def sign(link: Link, private_key: bytes) -> str:
    """The token of ``link``: characters that need no escaping in an address."""
    content = {
        "k": key_id_of(public_of(private_key)),
        "j": link.link_id,
        "p": link.person_id,
        "c": link.conflict_id,
        "a": link.action,
        "i": int(link.issued_at.timestamp()),
        "e": int(link.expires_at.timestamp()),
        **({"r": link.ruling} if link.ruling is not None else {}),
        **({"w": list(link.claims)} if link.claims else {}),
    }
    body = text_of(json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode())
    signature = Ed25519PrivateKey.from_private_bytes(private_key).sign(_CONTEXT + body.encode())
    return f"{body}.{text_of(signature)}"


def verify(token: str, public_keys: Mapping[str, bytes], now: datetime) -> Link:
    """The link that ``token`` says, if one of ``public_keys`` (by id) signed it and it has not expired.

    Raises ``LinkRefused``. A link that comes from a clock ahead of ours is taken.
    """
    body, dot, written = token.partition(".")
    if not dot or len(token) > LONGEST:
        raise LinkRefused("malformed")
    try:
        content = json.loads(bytes_of(body))
        signature = bytes_of(written)
        key_id, link = content["k"], _link(content)
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
        raise LinkRefused("malformed") from None
    public = public_keys.get(key_id) if isinstance(key_id, str) else None
    if public is None:
        raise LinkRefused("unknown_key")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, _CONTEXT + body.encode())
    except InvalidSignature:
        raise LinkRefused("forged") from None
    if now >= link.expires_at:
        raise LinkRefused("expired", link)
    return link


def text_of(value: bytes) -> str:
    """Base64 for addresses (RFC 4648, section 5), without padding."""
    return base64.urlsafe_b64encode(value).decode("ascii").rstrip("=")


def bytes_of(text: str) -> bytes:
    """The inverse of ``text_of``. Raises ValueError for any other spelling of the same bytes."""
    try:
        value = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if text_of(value) != text:
        raise ValueError("not the one spelling of its bytes")
    return value


def _link(content: dict[str, object]) -> Link:
    texts = [content["j"], content["p"], content["c"], content["a"]]
    link_id, person_id, conflict_id, action = [_text(value) for value in texts]
    ruling = content.get("r")
    claims = content.get("w", [])
    if not isinstance(claims, list):
        raise TypeError("claims are a list")
    return Link(
        link_id=link_id,
        person_id=person_id,
        conflict_id=conflict_id,
        action=action,
        issued_at=_instant(content["i"]),
        expires_at=_instant(content["e"]),
        ruling=None if ruling is None else _text(ruling),
        claims=tuple(_text(claim) for claim in claims),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a text")
    return value


def _instant(value: object) -> datetime:
    if not isinstance(value, int):
        raise TypeError("seconds")
    return datetime.fromtimestamp(value, UTC)

"""Receipts as they are made and kept: drafted with the request, signed with their batch, shown for ever.

A draft says what the request alone knows. The writer signs all drafts of a batch under its instant and
plan before it runs the commands; the receipt of a command that is then refused is shown to nobody. Must
not know a claim's place.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from dealreg_shared import receipts
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.ids import new_secret
from dealreg_shared.receipts import Seal, Signer

_NO_BODY = bytes(32)


@dataclass(frozen=True, slots=True)
class Draft:
    """A receipt before it is signed. ``number`` is random and says nothing about places; ``body_hash``
    is None where the registration is not filed but passed on."""

    registration_id: str
    number: str
    salt: str
    body_hash: str | None


def draft(registration_id: str, raw_body: bytes | None = None) -> Draft:
    """For a registration that a request may make; ``raw_body`` is the JSON that was filed."""
    number, salt = new_secret(), new_secret()
    if raw_body is None:
        return Draft(registration_id, number, salt, None)
    hash_ = receipts.body_hash(salt, canonical_body(raw_body))
    return Draft(registration_id, number, salt, hash_)


def draft_of(command: object) -> Draft | None:
    """The draft that a command carries if it may make a registration."""
    return getattr(command, "receipt", None)


def canonical_body(raw: bytes) -> bytes:
    """The one spelling of a body that was accepted: it has no fractions, and all its texts are UTF-8."""
    return orjson.dumps(orjson.loads(raw), option=orjson.OPT_SORT_KEYS)


def sealed(
    drafts: Iterable[Draft], plan_number: int, now: datetime, signer: Signer
) -> dict[str, Seal]:
    """Registration id -> what makes its draft a receipt, signed together."""
    listed = list(drafts)
    at = format_instant(now)
    statements = [
        receipts.statement(it.number, it.registration_id, at, plan_number, it.body_hash)
        for it in listed
    ]
    seals = receipts.seal(statements, signer)
    return {it.registration_id: its for it, its in zip(listed, seals, strict=True)}


def columns(it: Draft, seal: Seal) -> dict[str, Any]:
    """What is kept of it. The salt stands apart, so that it can be destroyed."""
    body = _NO_BODY if it.body_hash is None else bytes.fromhex(it.body_hash)
    return {
        "receipt_number": it.number,
        "receipt_salt": it.salt,
        "receipt_seal": body + seal.packed(),
    }


def receipt_view(
    number: str,
    registration_id: str,
    filed_at: datetime,
    plan_number: int,
    salt: str | None,
    body_hash: str | None,
    seal: Seal | None,
) -> dict[str, Any]:
    """Proof of filing. It carries no place. Unsigned where it is older than signed receipts."""
    view: dict[str, Any] = {
        "number": number,
        "registration_id": registration_id,
        "filed_at": format_instant(filed_at),
    }
    if seal is None:
        return view
    return view | {
        "plan_number": plan_number,
        "body_hash": body_hash,
        "salt": salt,
        **seal.view(),
    }


def drafted_view(it: Draft, seal: Seal, filed_at: datetime, plan_number: int) -> dict[str, Any]:
    """The receipt of a registration that was just made."""
    return receipt_view(
        it.number, it.registration_id, filed_at, plan_number, it.salt, it.body_hash, seal
    )


def kept_view(row: Any) -> Mapping[str, Any]:
    """The receipt of a row of ``registration``."""
    kept = None if row.receipt_seal is None else bytes(row.receipt_seal)
    body = None if kept is None or kept[:32] == _NO_BODY else kept[:32].hex()
    return receipt_view(
        row.receipt_number,
        row.id,
        row.filed_at,
        row.plan_number,
        row.receipt_salt,
        body,
        None if kept is None else Seal.unpacked(kept[32:]),
    )

"""Referrals from and to their rows. Must not decide anything."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row

from dealreg_registration.domain.account import Claim
from dealreg_registration.domain.referral import Referral
from dealreg_registration.tables_referrals import referral
from dealreg_shared.db.among import rows_among

CHANGES = ("state", "consent_at", "decided_at", "taken_registration_id", "taken_claim_id")
"""All of a referral that ever changes."""


def referral_row(account_id: str, it: Referral) -> dict[str, Any]:
    return asdict(it) | {"account_id": account_id}


def referral_changes(it: Referral) -> dict[str, Any]:
    return {"key_id": it.id} | {name: getattr(it, name) for name in CHANGES}


def referral_from(row: Row[Any]) -> Referral:
    return Referral(
        id=row.id,
        claim_id=row.claim_id,
        registration_id=row.registration_id,
        referrer_id=row.referrer_id,
        product_line=row.product_line,
        target_kind=row.target_kind,
        target_id=row.target_id,
        state=row.state,
        plan_number=row.plan_number,
        offered_at=row.offered_at,
        due_at=row.due_at,
        consent_at=row.consent_at,
        decided_at=row.decided_at,
        taken_registration_id=row.taken_registration_id,
        taken_claim_id=row.taken_claim_id,
    )


def read_referrals(conn: Connection, claims: Iterable[Claim]) -> Iterator[tuple[str, Referral]]:
    """With their accounts, the referrals of claims that are referred or that nobody took; where there
    is none of these, nothing is asked."""
    referred = {c.id for c in claims if c.state == "referred" or c.flags.referral_exhausted}
    if referred:
        rows = rows_among(conn, referral.c.claim_id, referred)
        for row in sorted(rows, key=lambda row: (row.offered_at, row.id)):
            yield row.account_id, referral_from(row)

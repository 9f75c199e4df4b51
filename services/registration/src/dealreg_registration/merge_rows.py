"""The rows of a merged account become the survivor's. Must not decide anything.

Called after the claims that lost their line are written, and before anything new is.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, bindparam, update

from dealreg_registration.tables_accounts import (
    account_key,
    claim,
    conflict,
    decision,
    registration,
    ruling,
)
from dealreg_registration.tables_referrals import referral, transfer


def merge_rows(
    conn: Connection, survivor_id: str, merged_id: str, taken_at: Mapping[str, datetime]
) -> None:
    """Move everything, and note when each claim of both took its place."""
    if taken_at:
        conn.execute(
            update(claim).where(claim.c.id == bindparam("key_id")).values(taken_at=bindparam("at")),
            [{"key_id": claim_id, "at": at} for claim_id, at in sorted(taken_at.items())],
        )
    for table in (account_key, registration, claim, conflict, decision, ruling, referral, transfer):
        conn.execute(
            update(table).where(table.c.account_id == merged_id).values(account_id=survivor_id)
        )
    conn.execute(
        update(conflict)
        .where(conflict.c.other_account_id == merged_id, conflict.c.account_id != survivor_id)
        .values(other_account_id=survivor_id)
    )

"""Suspend a partner, or make it active again.

Suspending stops new protection and promotion at once, and ends the partner's own protections after the
notice that the plan in force gives; the account writer settles them when the time has come.
"""

from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, insert

from dealreg_registration.domain.programme_errors import AlreadyActive, AlreadySuspended
from dealreg_registration.programme_store import (
    StandingRow,
    advance,
    lock_programme,
    standings,
    write_audit,
)
from dealreg_registration.tables_programme import partner_status
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.contracts.plan import PartnerStatusChanged
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import app_now
from dealreg_shared.outbox import Outbox, Outgoing


def change_standing(
    conn: Connection,
    partner_id: str,
    status: Literal["active", "suspended"],
    *,
    reason: str | None,
    notice_days: int,
    outbox: Outbox,
    programme: str,
    actor: str,
    correlation_id: str,
) -> StandingRow:
    """Write the partner's new standing. The caller has checked that there is such a partner.

    Raises ``AlreadySuspended`` or ``AlreadyActive``.
    """
    state = lock_programme(conn)
    now = app_now(conn)
    former = standings(conn, [partner_id]).get(partner_id, StandingRow())
    if former.status == status:
        if status == "suspended":
            raise AlreadySuspended("The partner is suspended already.")
        raise AlreadyActive("The partner is active already.")
    release_at: datetime | None = None
    if status == "suspended":
        release_at = now + timedelta(days=notice_days)
    standing = StandingRow(status, now, release_at, reason, former.version + 1)
    conn.execute(
        insert(partner_status).values(
            partner_id=partner_id,
            version=standing.version,
            status=status,
            since=now,
            release_at=release_at,
            reason=reason,
        )
    )
    action = "suspended" if status == "suspended" else "reactivated"
    outbox.append(
        conn,
        [
            Outgoing(
                f"dealreg.partner.{action}.v1",
                programme,
                partner_id,
                PartnerStatusChanged(
                    partner_id=partner_id,
                    status=status,
                    at=now,
                    release_at=release_at,
                    reason=reason,
                ),
                correlation_id,
            )
        ],
        now,
    )
    write_audit(
        conn,
        now,
        actor,
        f"partner.{action}",
        partner_id,
        {"reason": reason, "release_at": format_instant(release_at) if release_at else None},
    )
    advance(conn, state)
    crashpoint("standing.changed")
    return standing

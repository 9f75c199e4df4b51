"""What must be true of registration's tables: accepted = decided = emitted, one winner, nothing overdue.

Only reads, by index. Found faults are named, never mended here.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select

from dealreg_registration import tables
from dealreg_registration.case_rows import course_from
from dealreg_shared.auditing import MOST, OVERDUE, SLICE, Audited, Check, Finding, Looked, OpenCase
from dealreg_shared.auditing.findings import whole
from dealreg_shared.auditing.messages import message_checks, outbox_versions, version_findings
from dealreg_shared.contracts.catalogue import KEYS, REGISTRATION

PENDING = ("open", "reviewed")
HOLDING = ("protected", "extended")


def _decided(conn: Connection, after: str, _now: datetime) -> Looked:
    """Every registration has its decision and its claims, and the account that numbered them told of it
    at that instant. (Merged since, the account's events still stand under its own key.)"""
    table, decision, claim = tables.registration, tables.decision, tables.claim
    outbox = tables.outbox.outbox
    rows = conn.execute(
        select(table.c.id, table.c.filed_at)
        .where(table.c.id > after)
        .order_by(table.c.id)
        .limit(SLICE)
    ).all()
    ids = [row.id for row in rows]
    decided = set(
        conn.execute(
            select(decision.c.registration_id).where(decision.c.registration_id.in_(ids))
        ).scalars()
    )
    numbered: dict[str, set[str]] = {}
    for registration_id, account_id in conn.execute(
        select(claim.c.registration_id, claim.c.numbered_by)
        .where(claim.c.registration_id.in_(ids))
        .distinct()
    ):
        numbered.setdefault(registration_id, set()).add(account_id)
    told = set(
        conn.execute(
            select(outbox.c.key, outbox.c.created_at).where(
                outbox.c.topic == REGISTRATION,
                outbox.c.key.in_({key for keys in numbered.values() for key in keys}),
            )
        )
        .tuples()
        .all()
    )
    emitted = {
        row.id
        for row in rows
        if any((key, row.filed_at) in told for key in numbered.get(row.id, ()))
    }
    findings = [
        Finding(f"{row.id} was accepted, but has no {what}.", (row.id,), row.filed_at)
        for row in rows
        for what, known in (("decision", decided), ("claim", numbered), ("event", emitted))
        if row.id not in known
    ]
    return Looked(findings, len(rows), ids[-1] if len(rows) == SLICE else None)


def _accounts(conn: Connection, after: str, _now: datetime) -> Looked:
    """An account's places have no gap, and each of its events is in the outbox."""
    table, claim = tables.account, tables.claim
    rows = conn.execute(
        select(table.c.id, table.c.last_place, table.c.event_version)
        .where(table.c.id > after)
        .order_by(table.c.id)
        .limit(SLICE)
    ).all()
    ids = [row.id for row in rows]
    places: Mapping[str, tuple[int, int]] = {
        row[0]: (row[1], row[2])
        for row in conn.execute(
            select(claim.c.numbered_by, func.count(), func.max(claim.c.place))
            .where(claim.c.numbered_by.in_(ids))
            .group_by(claim.c.numbered_by)
        )
    }
    findings = []
    for row in rows:
        count, last = places.get(row.id, (0, 0))
        if count != row.last_place or last != row.last_place:
            findings.append(
                Finding(
                    f"{row.id} has given {row.last_place} places, but holds {count} claims up to place "
                    f"{last}.",
                    (row.id,),
                )
            )
    findings += version_findings(
        REGISTRATION,
        {row.id: row.event_version for row in rows},
        outbox_versions(conn, tables.outbox, REGISTRATION, ids),
    )
    return Looked(findings, len(rows), ids[-1] if len(rows) == SLICE else None)


def _winners(conn: Connection, _now: datetime) -> tuple[Sequence[Finding], int]:
    """No line of an account is held twice. The unique index says so; this says that it did."""
    claim = tables.claim
    rows = conn.execute(
        select(claim.c.account_id, claim.c.product_line, func.count())
        .where(claim.c.state.in_(HOLDING))
        .group_by(claim.c.account_id, claim.c.product_line)
        .having(func.count() > 1)
        .limit(MOST)
    ).all()
    findings = []
    for account_id, line, count in rows:
        claims = conn.execute(
            select(claim.c.id)
            .where(
                claim.c.account_id == account_id,
                claim.c.product_line == line,
                claim.c.state.in_(HOLDING),
            )
            .order_by(claim.c.place)
        ).scalars()
        findings.append(
            Finding(
                f"{count} claims hold the line {line} of {account_id} at once.",
                (account_id, line, *claims),
            )
        )
    held = conn.execute(
        select(func.count()).select_from(claim).where(claim.c.state.in_(HOLDING))
    ).scalar_one()
    return findings, held


def _swept(conn: Connection, now: datetime) -> tuple[Sequence[Finding], int]:
    """What time has ended was carried out."""
    table = tables.account
    rows = conn.execute(
        select(table.c.id, table.c.next_due_at)
        .where(table.c.next_due_at < now - OVERDUE)
        .order_by(table.c.next_due_at)
        .limit(MOST)
    ).all()
    findings = [
        Finding(
            f"Something was due on {row.id} {(now - row.next_due_at).total_seconds():.0f} s ago and no "
            "sweep has carried it out.",
            (row.id,),
            row.next_due_at,
        )
        for row in rows
    ]
    return findings, len(rows)


def _sealed(conn: Connection, now: datetime) -> tuple[Sequence[Finding], int]:
    """What was committed is in the log. The log itself is checked by ``log verify``."""
    audit, last = tables.audit, select(tables.log_state.c.last_audit_id).scalar_subquery()
    row = conn.execute(
        select(audit.c.id, audit.c.at, audit.c.recorded_at)
        .where(audit.c.id > last)
        .order_by(audit.c.id)
        .limit(1)
    ).first()
    written = None if row is None else row.recorded_at or row.at
    if row is None or written is None or written >= now - OVERDUE:
        return [], 1
    waits = (now - written).total_seconds()
    return [
        Finding(
            f"Audit row {row.id} and what follows has waited {waits:.0f} s to be sealed into the log.",
            (str(row.id),),
            written,
        )
    ], 1


def open_cases(conn: Connection) -> list[OpenCase]:
    """Every case that waits for a person."""
    table = tables.conflict
    rows = conn.execute(
        select(table.c.id, table.c.opened_at, table.c.course).where(table.c.state.in_(PENDING))
    )
    return [OpenCase(row.id, row.opened_at, course_from(row.course, None)) for row in rows]


def closed_cases(conn: Connection, ids: Sequence[str]) -> dict[str, datetime]:
    """Of these cases those that are over, and since when."""
    table = tables.conflict
    rows = conn.execute(
        select(table.c.id, table.c.closed_at).where(
            table.c.id.in_(ids), table.c.closed_at.is_not(None)
        )
    )
    return {row.id: row.closed_at for row in rows}


AUDITED = Audited(
    service="registration",
    outbox=tables.outbox,
    inbox=tables.inbox,
    heartbeat=tables.heartbeat,
    access=tables.access_key,
    consumers={"registration-keys": [KEYS]},
    checks=[
        *message_checks(tables.outbox, tables.inbox),
        Check("sweep", whole(_swept), often=True),
        Check("sealed", whole(_sealed), often=True),
        Check("decided", _decided),
        Check("accounts", _accounts),
        Check("one-winner", whole(_winners)),
    ],
    open_cases=open_cases,
    closed_cases=closed_cases,
)

"""Checks of every outbox and inbox, and what others need to know of them to compare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import Connection, func, select, tuple_

from dealreg_shared.auditing.findings import MOST, OVERDUE, SLICE, Check, Finding, Looked, whole
from dealreg_shared.contracts.catalogue import TOPICS
from dealreg_shared.inbox.tables import PARKED, InboxTables
from dealreg_shared.outbox.tables import OutboxTables

UNSENT = timedelta(seconds=30)
"""An event that waits longer for the bus means that the relay or the bus stands still."""

_BETWEEN = "\x1f"
"""Between the parts of a place in a table with a key of several columns."""


@dataclass(frozen=True, slots=True)
class Versions:
    """Of one key in an outbox: how many events it has, and the version of the last."""

    events: int = 0
    last: int = 0


def message_checks(outbox: OutboxTables, inbox: InboxTables) -> list[Check]:
    """What holds of every service's outbox and inbox."""
    return [
        Check("events-sent", whole(lambda conn, now: _unsent(conn, outbox, now)), often=True),
        Check("keys-aside", whole(lambda conn, now: _aside(conn, inbox, now)), often=True),
        Check("versions", lambda conn, after, _now: _key_versions(conn, outbox, after)),
    ]


def outbox_versions(
    conn: Connection, outbox: OutboxTables, topic: str, keys: Sequence[str]
) -> dict[str, Versions]:
    """Key -> what the outbox has of it; keys without an event are missing."""
    table = outbox.outbox
    rows = conn.execute(
        select(table.c.key, func.count(), func.max(table.c.version))
        .where(table.c.topic == topic, table.c.key.in_(keys))
        .group_by(table.c.key)
    )
    return {key: Versions(events, last) for key, events, last in rows}


def sent_versions(
    conn: Connection, outbox: OutboxTables, topic: str, keys: Sequence[str], before: datetime
) -> dict[str, int]:
    """Key -> its last version that was acknowledged before an instant. Tombstones do not count: a log
    may have forgotten them."""
    table = outbox.outbox
    rows = conn.execute(
        select(table.c.key, func.max(table.c.version))
        .where(
            table.c.topic == topic,
            table.c.key.in_(keys),
            table.c.sent_at < before,
            table.c.body.is_not(None),
        )
        .group_by(table.c.key)
    )
    return dict(rows.tuples().all())


def keys_after(conn: Connection, outbox: OutboxTables, topic: str, after: str) -> list[str]:
    """The next keys of a topic, in the database's own order; at most ``SLICE``."""
    table = outbox.outbox
    rows = conn.execute(
        select(table.c.key)
        .where(table.c.topic == topic, table.c.key > after)
        .group_by(table.c.key)
        .order_by(table.c.key)
        .limit(SLICE)
    )
    return list(rows.scalars())


def applied_versions(
    conn: Connection, inbox: InboxTables, consumer: str, topic: str, keys: Sequence[str]
) -> dict[str, tuple[int, bool]]:
    """Key -> the version that a consumer applied last, and whether the key is set aside."""
    table = inbox.key
    rows = conn.execute(
        select(table.c.key, table.c.version, table.c.status).where(
            table.c.consumer == consumer, table.c.topic == topic, table.c.key.in_(keys)
        )
    )
    return {row.key: (row.version, row.status is not None) for row in rows}


def version_findings(
    topic: str, written: Mapping[str, int], found: Mapping[str, Versions]
) -> list[Finding]:
    """What is wrong with keys of which ``written`` events were counted."""
    compacted = TOPICS[topic].compacted  # of an erased key only the tombstone is left
    findings = []
    for key, count in written.items():
        has = found.get(key, Versions())
        if has.last != count:
            findings.append(
                Finding(
                    f"{key} has had {count} events on {topic}, but its outbox ends at {has.last}.",
                    (key, topic),
                )
            )
        elif not compacted and has.events != count:
            findings.append(
                Finding(
                    f"{key} has had {count} events on {topic}, but its outbox holds {has.events}.",
                    (key, topic),
                )
            )
    return findings


def _unsent(conn: Connection, outbox: OutboxTables, now: datetime) -> tuple[Sequence[Finding], int]:
    table = outbox.outbox
    late = (table.c.sent_at.is_(None), table.c.created_at < now - UNSENT)
    oldest = conn.execute(
        select(table.c.topic, table.c.key, table.c.version, table.c.created_at)
        .where(table.c.sent_at.is_(None))
        .order_by(table.c.id)
        .limit(1)
    ).first()
    if oldest is None or oldest.created_at >= now - UNSENT:
        return [], int(oldest is not None)
    count = conn.execute(select(func.count()).select_from(table).where(*late)).scalar_one()
    age = (now - oldest.created_at).total_seconds()
    return [
        Finding(
            f"{count} events wait to be sent, the oldest for {age:.0f} s: version {oldest.version} of "
            f"{oldest.key} on {oldest.topic}. The relay or the bus stands still.",
            (oldest.key, oldest.topic),
            oldest.created_at,
        )
    ], count


def _aside(conn: Connection, inbox: InboxTables, now: datetime) -> tuple[Sequence[Finding], int]:
    key, aside = inbox.key, inbox.aside
    findings = []
    for row in conn.execute(
        select(key).where(key.c.status.is_not(None)).order_by(key.c.since).limit(MOST)
    ):
        if row.status != PARKED and (row.since is None or row.since > now - OVERDUE):
            continue
        word = "is parked" if row.status == PARKED else "still waits for a fact of another topic"
        findings.append(
            Finding(
                f"{row.key} of {row.topic} {word} in {row.consumer} after version {row.version}: "
                f"{row.reason}",
                (row.key, row.topic, row.consumer),
                row.since,
            )
        )
    unreadable = conn.execute(
        select(aside)
        .where(aside.c.resolved_at.is_(None), aside.c.version.is_(None))
        .order_by(aside.c.id)
        .limit(MOST)
    )
    findings += [
        Finding(
            f"A message of {row.key} on {row.topic} that is no event stands aside in {row.consumer} "
            f"as {row.id}: {row.reason}",
            (row.key, row.topic, row.consumer, str(row.id)),
            row.stored_at,
        )
        for row in unreadable
    ]
    return findings, len(findings)


def _key_versions(conn: Connection, outbox: OutboxTables, after: str) -> Looked:
    table = outbox.key_version
    query = select(table).order_by(table.c.topic, table.c.key).limit(SLICE)
    if after:
        topic, key = after.split(_BETWEEN)
        query = query.where(tuple_(table.c.topic, table.c.key) > (topic, key))
    rows = conn.execute(query).all()
    findings = []
    for topic, group in groupby(rows, key=lambda row: str(row.topic)):
        written = {row.key: row.version for row in group}
        findings += version_findings(
            topic, written, outbox_versions(conn, outbox, topic, list(written))
        )
    following = None
    if len(rows) == SLICE:
        following = f"{rows[-1].topic}{_BETWEEN}{rows[-1].key}"
    return Looked(findings, len(rows), following)

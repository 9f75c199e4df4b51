"""What the log held and holds no more: topics that are gone, cut off, or were made anew.

Offsets say that something is gone; that nothing is missing in the end, only the events themselves can
say. So the log is read again from its beginning, and every key must come with every version that it had;
what has come is struck off. After the archive has filled an empty log again nothing is left to tell.
Works on the auditor's own file; must not touch the bus.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, delete, func, literal, select, update
from sqlalchemy.dialects.sqlite import insert

from dealreg.auditor.log_tables import log_again, log_fault, log_key, log_loss, log_place
from dealreg_shared.auditing import Finding
from dealreg_shared.bus.headers import key_version
from dealreg_shared.bus.port import Delivery
from dealreg_shared.contracts.catalogue import TOPICS
from dealreg_shared.db.upsert import insert_new

BACK = 1000
"""A group whose last position was not committed falls back by less than so many offsets."""

TOMBSTONE = bytes(4)
"""The check sum of an empty value: such a key may be gone from a compacted topic."""

Spot = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Extent:
    """The first offset of a partition, and the last one that was read; -1: none yet."""

    first: int
    read: int


def places(conn: Connection) -> dict[Spot, Extent]:
    """What was read of each partition."""
    return {
        (row.topic, row.partition): Extent(row.first, row.read)
        for row in conn.execute(select(log_place))
    }


def lost(known: Mapping[Spot, Extent], extents: Mapping[Spot, tuple[int, int]]) -> dict[str, str]:
    """Topic -> a sentence, where the log is shorter than what was read of it."""
    found: dict[str, str] = {}
    for (topic, partition), was in sorted(known.items()):
        if was.read < 0 or topic in found:
            continue
        where = f"Partition {partition} of {topic}"
        if (topic, partition) not in extents:
            found[topic] = f"{where}, read up to {was.read}, is gone."
            continue
        first, end = extents[topic, partition]
        if end <= was.read:
            found[topic] = f"{where} was read up to {was.read}, and now ends before {end}."
        elif first > was.first:
            found[topic] = f"{where} began at {was.first}, and now begins at {first}."
    return found


def comes_again(conn: Connection, deliveries: Iterable[Delivery]) -> bool:
    """Whether the log comes again from its beginning: it was made anew, or the group's positions were
    forgotten. A short log is taken to do so whenever some of it comes again."""
    known = places(conn)
    seen: set[Spot] = set()
    for delivery in deliveries:
        spot = (delivery.position.topic, delivery.position.partition)
        was = known.get(spot)
        if spot in seen or was is None:
            continue
        seen.add(spot)
        offset, back = delivery.position.offset, was.read - delivery.position.offset
        if back > 0 and (back > BACK or was.read < BACK or offset <= was.first):
            return True
    return False


def remember(conn: Connection, topics: Mapping[str, str | None], now: datetime) -> None:
    """Everything known of these topics must come again; all is read from the beginning from now on.
    With a sentence where it is known that something is gone."""
    for topic, sentence in topics.items():
        gaps = (
            select(func.max(log_fault.c.version))
            .where(
                log_fault.c.topic == topic,
                log_fault.c.key == log_key.c.key,
                log_fault.c.kind == "gap",
            )
            .scalar_subquery()
        )
        former = select(
            log_key.c.topic, log_key.c.key, log_key.c.version, func.coalesce(gaps, literal(1))
        ).where(log_key.c.topic == topic)
        if TOPICS[topic].compacted:
            former = former.where(func.substr(log_key.c.sums, -4) != TOMBSTONE)
        conn.execute(delete(log_again).where(log_again.c.topic == topic))
        conn.execute(insert(log_again).from_select(["topic", "key", "version", "next"], former))
        conn.execute(insert(log_loss).values(topic=topic, sentence=sentence, found_at=now))
        conn.execute(delete(log_place).where(log_place.c.topic == topic))
    conn.execute(update(log_place).values(read=-1))


def note(conn: Connection, extents: Mapping[Spot, tuple[int, int]]) -> None:
    """Where partitions begin that were not known yet."""
    known = places(conn)
    rows = [
        {"topic": topic, "partition": partition, "first": first, "read": -1}
        for (topic, partition), (first, _) in extents.items()
        if (topic, partition) not in known
    ]
    insert_new(conn, log_place, rows)


def came(conn: Connection, deliveries: Sequence[Delivery]) -> None:
    """These were read: how far, and what of the former log they are."""
    read: dict[Spot, tuple[int, int]] = {}
    for delivery in deliveries:
        spot, offset = (
            (delivery.position.topic, delivery.position.partition),
            delivery.position.offset,
        )
        low, high = read.get(spot, (offset, offset))
        read[spot] = (min(low, offset), max(high, offset))
    for (topic, partition), (low, high) in read.items():
        made = insert(log_place).values(topic=topic, partition=partition, first=low, read=high)
        further = {"read": func.max(log_place.c.read, made.excluded.read)}
        conn.execute(
            made.on_conflict_do_update(index_elements=["topic", "partition"], set_=further)
        )
    if conn.execute(select(log_again.c.key).limit(1)).first() is not None:
        for delivery in deliveries:
            _strike_off(conn, delivery)


def _strike_off(conn: Connection, delivery: Delivery) -> None:
    message = delivery.message
    version = key_version(message.headers)
    if version is None:
        return
    mine = and_(log_again.c.topic == message.topic, log_again.c.key == message.key)
    if TOPICS[message.topic].compacted:
        conn.execute(delete(log_again).where(mine, log_again.c.version <= version))
        return
    went_on = update(log_again).where(mine, log_again.c.next == version)
    if conn.execute(went_on.values(next=version + 1)).rowcount:
        conn.execute(delete(log_again).where(mine, log_again.c.version < log_again.c.next))


def found(conn: Connection, *, current: bool) -> list[Finding]:
    """A finding for each topic that lacks what it had. ``current``: all of the log was read, so that
    what has not come is not there; else only where it is known that something is gone."""
    findings = []
    latest = conn.execute(select(log_loss).order_by(log_loss.c.id.desc())).all()
    named: set[str] = set()
    for row in latest:
        if row.topic in named:
            continue
        named.add(row.topic)
        left = conn.execute(
            select(func.count(), func.min(log_again.c.key)).where(log_again.c.topic == row.topic)
        ).one()
        if left[0] == 0 or not (current or row.sentence):
            continue
        what = row.sentence or f"{row.topic} came again from its beginning."
        findings.append(
            Finding(
                f"The log has lost events. {what} Of {left[0]} of its keys, {left[1]} for one, not all "
                "that was there is there.",
                (f"{row.topic}#{row.id}", row.topic),
                row.found_at,
            )
        )
    return findings


def forget_healed(conn: Connection) -> None:
    """All was read: what has come again entirely is no loss."""
    lacking = select(log_again.c.topic).distinct()
    conn.execute(delete(log_loss).where(log_loss.c.topic.not_in(lacking)))

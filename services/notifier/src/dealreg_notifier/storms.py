"""Gathers due deliveries into messages: the day's digest, and what is more than a person can read.

Works on rows, inside the transaction that claims them; what is decided is ``domain.gathering``. Must not
send anything, nor touch a notice: only what travels is gathered.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping, and_, bindparam, func, select, update

from dealreg_notifier.domain.gathering import SINGLY, TOGETHER, WINDOW, Gathering, Sent, gather
from dealreg_notifier.tables import delivery
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db.among import among

_LOCK = select(func.pg_advisory_xact_lock(4_717_001))
"""The number is our own among PostgreSQL's advisory locks."""


class Pile(NamedTuple):
    """Notices that may share a message."""

    recipient: str
    channel: str
    kind_group: str
    digest_at: datetime | None

    def given(self, **more: Any) -> dict[str, Any]:
        """The parameters of a statement about the pile, and ``more``."""
        return {f"of_{name}": value for name, value in self._asdict().items()} | more


_OF_PERSON = and_(
    delivery.c.recipient == bindparam("of_recipient"), delivery.c.channel == bindparam("of_channel")
)
_OF_GROUP = and_(
    _OF_PERSON, delivery.c.kind_group == bindparam("of_kind_group"), delivery.c.digest_at.is_(None)
)
_OF_DIGEST = and_(_OF_PERSON, delivery.c.digest_at == bindparam("of_digest_at"))

_WAITING = and_(
    delivery.c.begun_at.is_(None),
    delivery.c.attempt == 0,
    delivery.c.state == "pending",
    delivery.c.due_at <= bindparam("now"),
    delivery.c.carried_by.is_(None),
)
"""What is due and was never claimed."""

_HOW_MANY = select(func.count()).select_from(delivery).where(_OF_GROUP, _WAITING)
_PUT_OFF = update(delivery).where(_OF_GROUP, _WAITING).values(due_at=bindparam("until"))
_LOAD = (
    update(delivery)
    .where(_WAITING, delivery.c.delivery_id != bindparam("lead"))
    .values(carried_by=bindparam("lead"))
)
_LOAD_GROUP, _LOAD_DIGEST = _LOAD.where(_OF_GROUP), _LOAD.where(_OF_DIGEST)
_SENT = select(delivery.c.begun_at, delivery.c.carries).where(
    _OF_GROUP, delivery.c.begun_at > bindparam("since"), delivery.c.carried_by.is_(None)
)
_DIGEST_SENT = select(delivery.c.delivery_id).where(_OF_DIGEST, delivery.c.carries > 0).limit(1)


def one_at_a_time(conn: Connection) -> None:
    """Processes claim one after the other, so that one person's pile is not split between two.

    SQLite has one writer anyway.
    """
    if conn.dialect.name == "postgresql":
        conn.execute(_LOCK)


def gathered(
    conn: Connection, due: Sequence[RowMapping], now: datetime, most: int, gathers: Iterable[str]
) -> list[str]:
    """Of these due rows, those whose messages leave now; others were put in one of them, or put off."""
    channels = frozenset(gathers)
    fresh = [row for row in due if row["attempt"] == 0 and row["channel"] in channels]
    piles = {pile for pile in map(_pile, fresh) if most or pile.digest_at is not None}
    ways = _ways(conn, piles, now, most)
    leaving: dict[str, int] = {}
    led: set[Pile] = set()
    late: list[str] = []
    for row in due:
        delivery_id, pile = row["delivery_id"], _pile(row)
        way = ways.get(pile, SINGLY) if row["attempt"] == 0 else SINGLY
        if way == SINGLY:
            leaving[delivery_id] = row["carries"] or 1
            late += [delivery_id] if pile in ways and pile.digest_at is not None else []
        elif way == TOGETHER and pile not in led:
            crashpoint("storm.gathering")
            led.add(pile)
            leaving[delivery_id] = 1 + _load(conn, pile, delivery_id, now)
    for pile, way in ways.items():
        if way.until is not None:
            conn.execute(_PUT_OFF, pile.given(now=now, until=way.until))
    if late:
        conn.execute(
            update(delivery).where(among(conn, delivery.c.delivery_id, late)).values(digest_at=None)
        )
    for carries in sorted(set(leaving.values()) - {1}):  # 1: written with the claim
        ids = [delivery_id for delivery_id, number in leaving.items() if number == carries]
        conn.execute(
            update(delivery).where(among(conn, delivery.c.delivery_id, ids)).values(carries=carries)
        )
    crashpoint("storm.gathered")
    return list(leaving)


def _ways(
    conn: Connection, piles: Iterable[Pile], now: datetime, most: int
) -> dict[Pile, Gathering]:
    """How each pile leaves. A digest leaves once: what missed it goes by itself."""
    ways: dict[Pile, Gathering] = {}
    for pile in sorted(piles, key=str):
        if pile.digest_at is not None:
            ways[pile] = SINGLY if _digest_sent(conn, pile) else TOGETHER
            continue
        waiting = conn.execute(_HOW_MANY, pile.given(now=now)).scalar_one()
        ways[pile] = gather(waiting, _sent(conn, pile, now), now, most)
    return ways


def _load(conn: Connection, pile: Pile, lead: str, now: datetime) -> int:
    """Put all that waits in the message of ``lead``. Returns how many."""
    load = _LOAD_GROUP if pile.digest_at is None else _LOAD_DIGEST
    return conn.execute(load, pile.given(now=now, lead=lead)).rowcount


def _sent(conn: Connection, pile: Pile, now: datetime) -> list[Sent]:
    rows = conn.execute(_SENT, pile.given(since=now - WINDOW))
    return [Sent(row.begun_at, row.carries) for row in rows]


def _digest_sent(conn: Connection, pile: Pile) -> bool:
    return conn.execute(_DIGEST_SENT, pile.given()).first() is not None


def _pile(row: RowMapping) -> Pile:
    """A digest holds all groups; otherwise each group is a pile of its own."""
    digest_at = row["digest_at"]
    group = "" if digest_at is not None else row["kind_group"]
    return Pile(row["recipient"], row["channel"], group, digest_at)

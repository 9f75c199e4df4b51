"""The keys that sign links in mails: made, rotated, taken back, and their public halves published.

One key is current. A retired one is still published until its last link has expired; one that is taken
back opens nothing as soon as the tombstone has arrived. Private halves never leave this database, or the
setting that gives the key. Must not sign anything.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from dealreg_notifier.tables import signing_key
from dealreg_shared.contracts.catalogue import KEYS
from dealreg_shared.contracts.keys import LinkKeyUpdated
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.ids import new_id
from dealreg_shared.links import KEY_BYTES, bytes_of, key_id_of, public_of, text_of
from dealreg_shared.outbox import Outbox, Outgoing

UPDATED = "dealreg.link.key-updated.v1"

LONGEST_LIFE = timedelta(hours=24)
"""No link lives longer, so a retired key is needed no longer."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """Where keys are kept and told of. ``given`` is the private key of the setting, if it has one."""

    outbox: Outbox
    given: bytes | None = None

    def ensure(self, conn: Connection, now: datetime) -> None:
        """At the start: the given key is current; without one, a key of our own."""
        _alone(conn)
        self.forget_old(conn, now)
        current = _current(conn)
        if self.given is not None:
            if current is None or current["key_id"] != key_id_of(public_of(self.given)):
                self._replace(conn, self.given, now, keep=False)
        elif current is None or current["private_key"] is None:
            self._replace(conn, secrets.token_bytes(KEY_BYTES), now, keep=True)

    def rotate(self, conn: Connection, now: datetime, *, revoke: bool = False) -> str:
        """A new key, from now on. ``revoke``: links of all former keys open nothing any more.

        Raises ``ValueError`` where a setting gives the key. Returns the id of the new key.
        """
        if self.given is not None:
            raise ValueError(
                "DEALREG_NOTIFIER_LINK_KEY gives the key: set another one there and start again"
            )
        _alone(conn)
        if revoke:
            former = list(conn.execute(select(signing_key.c.key_id)).scalars())
            conn.execute(delete(signing_key))
            self.outbox.erase(conn, KEYS, sorted(former), now)
        return self._replace(conn, secrets.token_bytes(KEY_BYTES), now, keep=True)

    def forget_old(self, conn: Connection, now: datetime) -> int:
        """Drop keys whose last link has expired. Returns how many."""
        old = signing_key.c.valid_until <= now
        ids = sorted(conn.execute(select(signing_key.c.key_id).where(old)).scalars())
        if ids:
            conn.execute(delete(signing_key).where(signing_key.c.key_id.in_(ids)))
            self.outbox.erase(conn, KEYS, ids, now)
        return len(ids)

    def current(self, conn: Connection) -> bytes | None:
        """The private key that signs now; None before the first start."""
        row = _current(conn)
        if row is None:
            return None
        if row["private_key"] is not None:
            return bytes_of(row["private_key"])
        return self.given

    def _replace(self, conn: Connection, private_key: bytes, now: datetime, *, keep: bool) -> str:
        public = public_of(private_key)
        key_id = key_id_of(public)
        conn.execute(
            update(signing_key)
            .where(signing_key.c.current)
            .values(current=False, private_key=None, valid_until=now + LONGEST_LIFE)
        )
        values: dict[str, Any] = {
            "key_id": key_id,
            "private_key": text_of(private_key) if keep else None,
            "public_key": text_of(public),
            "current": True,
            "created_at": now,
            "valid_until": None,
        }
        insert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
        # A key that was given before may be given again; two processes that start at once make one.
        conn.execute(delete(signing_key).where(signing_key.c.key_id == key_id))
        if conn.execute(insert(signing_key).values(values).on_conflict_do_nothing()).rowcount:
            self._publish(conn, now)
        crashpoint("signing.replaced")
        return key_id

    def _publish(self, conn: Connection, now: datetime) -> None:
        self.outbox.append(
            conn,
            [
                Outgoing(
                    type=UPDATED,
                    key=row["key_id"],
                    subject=row["key_id"],
                    data=LinkKeyUpdated(
                        key_id=row["key_id"],
                        public_key=row["public_key"],
                        created_at=row["created_at"],
                        valid_until=row["valid_until"],
                    ),
                    correlation_id=new_id("cor"),
                )
                for row in published(conn, now)
            ],
            now,
        )


def published(conn: Connection, now: datetime) -> Sequence[RowMapping]:
    """The keys with which a link may be checked now, the newest first."""
    in_use = or_(signing_key.c.valid_until.is_(None), signing_key.c.valid_until > now)
    query = select(signing_key).where(in_use)
    order = (signing_key.c.created_at.desc(), signing_key.c.key_id)
    return conn.execute(query.order_by(*order)).mappings().all()


def _current(conn: Connection) -> RowMapping | None:
    return conn.execute(select(signing_key).where(signing_key.c.current)).mappings().first()


def _alone(conn: Connection) -> None:
    """Others that change keys wait until this transaction ends, those that read them do not. Before the
    first key there is no row that could be locked. SQLite has one writer anyway."""
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql("LOCK TABLE signing_key IN SHARE ROW EXCLUSIVE MODE")

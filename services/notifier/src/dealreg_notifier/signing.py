"""The keys that sign links in mails: made, rotated, taken back, and their public halves published.

One key is current. A retired one is still published until its last link has expired; one that is taken
back opens nothing as soon as the tombstone has arrived. Private halves never leave this database, or the
setting that gives the key. Must not sign anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, delete, or_, select

from dealreg_notifier.tables import signing_key
from dealreg_shared.contracts.catalogue import KEYS
from dealreg_shared.contracts.keys import LinkKeyUpdated
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.ids import new_id
from dealreg_shared.links import bytes_of
from dealreg_shared.outbox import Outbox, Outgoing
from dealreg_shared.signing_keys import KeyStore

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
        self._store.alone(conn)
        self.forget_old(conn, now)
        if self._store.ensure(conn, now) is not None:
            self._publish(conn, now)

    def rotate(self, conn: Connection, now: datetime, *, revoke: bool = False) -> str:
        """A new key, from now on. ``revoke``: links of all former keys open nothing any more.

        Raises ``ValueError`` where a setting gives the key. Returns the id of the new key.
        """
        key_id = self._store.rotate(conn, now)
        if revoke:
            others = signing_key.c.key_id != key_id
            former = list(conn.execute(select(signing_key.c.key_id).where(others)).scalars())
            conn.execute(delete(signing_key).where(others))
            self.outbox.erase(conn, KEYS, sorted(former), now)
        self._publish(conn, now)
        return key_id

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
        row = self._store.current(conn)
        if row is None:
            return None
        if row["private_key"] is not None:
            return bytes_of(row["private_key"])
        return self.given

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
        crashpoint("signing.replaced")

    @property
    def _store(self) -> KeyStore:
        return KeyStore(
            signing_key,
            retired="valid_until",
            setting="DEALREG_NOTIFIER_LINK_KEY",
            given=self.given,
            outlives=LONGEST_LIFE,
        )


def published(conn: Connection, now: datetime) -> Sequence[RowMapping]:
    """The keys with which a link may be checked now, the newest first."""
    in_use = or_(signing_key.c.valid_until.is_(None), signing_key.c.valid_until > now)
    query = select(signing_key).where(in_use)
    order = (signing_key.c.created_at.desc(), signing_key.c.key_id)
    return conn.execute(query.order_by(*order)).mappings().all()

"""A service's own Ed25519 keys in its database: one is current, another one can take its place.

Two services sign, each for a purpose of its own and with a table of its own: links in mails, and the
log's receipts. How a key comes to be the current one is the same for both. Must not sign anything, nor
decide how long the public half of a retired key is published. A private half is dropped as soon as it
signs no more; that of a key which a setting gives is never stored.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, select, update

from dealreg_shared.db.upsert import upsert
from dealreg_shared.links import KEY_BYTES, key_id_of, public_of, text_of


@dataclass(frozen=True, slots=True)
class KeyStore:
    """Keys in ``table``: ``key_id``, ``private_key``, ``public_key``, ``current``, ``created_at`` and
    the column named ``retired``, into which a key that signs no more gets that instant plus
    ``outlives``.

    ``given``: the private key that ``setting`` names, if it names one.
    """

    table: Table
    retired: str
    setting: str
    given: bytes | None = None
    outlives: timedelta = timedelta(0)

    def ensure(self, conn: Connection, now: datetime) -> str | None:
        """The given key is current; without one, a key of our own. The id of a key that was not
        current before, else None."""
        self.alone(conn)
        row = self.current(conn)
        if self.given is not None:
            if row is None or row["key_id"] != key_id_of(public_of(self.given)):
                return self._replace(conn, self.given, now, keep=False)
        elif row is None or row["private_key"] is None:
            return self._new(conn, now)
        return None

    def rotate(self, conn: Connection, now: datetime) -> str:
        """A new key, from now on; its id. Raises ``ValueError`` where a setting gives the key."""
        if self.given is not None:
            raise ValueError(f"{self.setting} gives the key: set another one there and start again")
        self.alone(conn)
        return self._new(conn, now)

    def current(self, conn: Connection) -> RowMapping | None:
        """The key that signs now; None before the first start."""
        return conn.execute(select(self.table).where(self.table.c.current)).mappings().first()

    def alone(self, conn: Connection) -> None:
        """Others that change keys wait until this transaction ends, those that read them do not. Before
        the first key there is no row that could be locked. SQLite has one writer anyway."""
        if conn.dialect.name == "postgresql":
            name = conn.dialect.identifier_preparer.format_table(self.table)
            conn.exec_driver_sql(f"LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE")

    def _new(self, conn: Connection, now: datetime) -> str:
        return self._replace(conn, secrets.token_bytes(KEY_BYTES), now, keep=True)

    def _replace(self, conn: Connection, private_key: bytes, now: datetime, *, keep: bool) -> str:
        public = public_of(private_key)
        key_id = key_id_of(public)
        conn.execute(
            update(self.table)
            .where(self.table.c.current)
            .values({"current": False, "private_key": None, self.retired: now + self.outlives})
        )
        values: dict[str, Any] = {
            "private_key": text_of(private_key) if keep else None,
            "public_key": text_of(public),
            "current": True,
            self.retired: None,
        }
        # A key that was given before may be given again.
        conn.execute(
            upsert(conn.dialect.name, self.table)
            .values(values | {"key_id": key_id, "created_at": now})
            .on_conflict_do_update(index_elements=["key_id"], set_=values)
        )
        return key_id

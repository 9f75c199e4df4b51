"""The keys that sign receipts and the log's roots: made, rotated, and their public halves published.

One key is current. A retired one signs no more, and its public half is published for ever: receipts are
checked with it years later. Private halves never leave this database, or the setting that gives the key.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update
from sqlalchemy.dialects import postgresql, sqlite

from dealreg_registration.tables_log import log_key
from dealreg_shared.db import Database, app_now
from dealreg_shared.links import KEY_BYTES, bytes_of, key_id_of, public_of, text_of
from dealreg_shared.receipts import Signer


class NoSigningKey(Exception):
    """Nothing can be signed before the service has started once."""


class SigningKeys:
    """One per process: the key that signs now. ``given`` is the private key of the setting, if any."""

    def __init__(self, given: bytes | None = None) -> None:
        self._given = given
        self._signer: Signer | None = None

    def signer(self) -> Signer:
        """What signs now. Raises ``NoSigningKey`` before ``ensure``."""
        if self._signer is None:
            raise NoSigningKey("the service has not started: there is no key to sign with")
        return self._signer

    async def ensure(self, database: Database) -> None:
        """At the start: the given key is current; without one, a key of our own."""
        await database.write(self._ensure)
        await self.refresh(database)

    async def refresh(self, database: Database) -> None:
        """Take the key that is current by now: another process may have rotated it."""
        row = await database.read(_current)
        if row is None or (self._signer is not None and row["key_id"] == self._signer.key_id):
            return
        if row["private_key"] is not None:
            self._signer = Signer(bytes_of(row["private_key"]))
        elif self._given is not None and key_id_of(public_of(self._given)) == row["key_id"]:
            self._signer = Signer(self._given)

    def rotate(self, conn: Connection) -> str:
        """A new key, from now on; its id. Raises ``ValueError`` where a setting gives the key."""
        if self._given is not None:
            raise ValueError(
                "DEALREG_REGISTRATION_SIGNING_KEY gives the key: set another one there and start again"
            )
        _alone(conn)
        return _replace(conn, secrets.token_bytes(KEY_BYTES), app_now(conn), keep=True)

    def _ensure(self, conn: Connection) -> None:
        _alone(conn)
        current, now = _current(conn), app_now(conn)
        if self._given is not None:
            if current is None or current["key_id"] != key_id_of(public_of(self._given)):
                _replace(conn, self._given, now, keep=False)
        elif current is None or current["private_key"] is None:
            _replace(conn, secrets.token_bytes(KEY_BYTES), now, keep=True)


def published(conn: Connection) -> Sequence[RowMapping]:
    """Every key that ever signed, the newest first."""
    order = (log_key.c.created_at.desc(), log_key.c.key_id)
    return conn.execute(select(log_key).order_by(*order)).mappings().all()


def _replace(conn: Connection, private_key: bytes, now: datetime, *, keep: bool) -> str:
    public = public_of(private_key)
    key_id = key_id_of(public)
    conn.execute(
        update(log_key)
        .where(log_key.c.current)
        .values(current=False, private_key=None, retired_at=now)
    )
    values: dict[str, Any] = {
        "private_key": text_of(private_key) if keep else None,
        "public_key": text_of(public),
        "current": True,
        "retired_at": None,
    }
    insert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    # A key that was given before may be given again.
    conn.execute(
        insert(log_key)
        .values(values | {"key_id": key_id, "created_at": now})
        .on_conflict_do_update(index_elements=["key_id"], set_=values)
    )
    return key_id


def _current(conn: Connection) -> RowMapping | None:
    return conn.execute(select(log_key).where(log_key.c.current)).mappings().first()


def _alone(conn: Connection) -> None:
    """Others that change keys wait until this transaction ends, those that read them do not. Before the
    first key there is no row that could be locked. SQLite has one writer anyway."""
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql("LOCK TABLE log_key IN SHARE ROW EXCLUSIVE MODE")

"""The keys that sign receipts and the log's roots: made, rotated, and their public halves published.

One key is current. A retired one signs no more, and its public half is published for ever: receipts are
checked with it years later. Private halves never leave this database, or the setting that gives the key.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, select

from dealreg_registration.tables_log import log_key
from dealreg_shared.db import Database, app_now
from dealreg_shared.links import bytes_of, key_id_of, public_of
from dealreg_shared.receipts import Signer
from dealreg_shared.signing_keys import KeyStore


class NoSigningKey(Exception):
    """Nothing can be signed before the service has started once."""


class SigningKeys:
    """One per process: the key that signs now. ``given`` is the private key of the setting, if any."""

    def __init__(self, given: bytes | None = None) -> None:
        self._given = given
        self._store = KeyStore(
            log_key, retired="retired_at", setting="DEALREG_REGISTRATION_SIGNING_KEY", given=given
        )
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
        row = await database.read(self._store.current)
        if row is None or (self._signer is not None and row["key_id"] == self._signer.key_id):
            return
        if row["private_key"] is not None:
            self._signer = Signer(bytes_of(row["private_key"]))
        elif self._given is not None and key_id_of(public_of(self._given)) == row["key_id"]:
            self._signer = Signer(self._given)

    def rotate(self, conn: Connection) -> str:
        """A new key, from now on; its id. Raises ``ValueError`` where a setting gives the key."""
        return self._store.rotate(conn, app_now(conn))

    def _ensure(self, conn: Connection) -> None:
        self._store.ensure(conn, app_now(conn))


def published(conn: Connection) -> Sequence[RowMapping]:
    """Every key that ever signed, the newest first."""
    order = (log_key.c.created_at.desc(), log_key.c.key_id)
    return conn.execute(select(log_key).order_by(*order)).mappings().all()

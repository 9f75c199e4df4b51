"""Seal the log: what was committed gets its place, and the new root goes to the file of roots.

The file is written after the commit and made whole from the database each time, so that a crash between
the two leaves nothing out.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, select

from dealreg_registration.log_store import root_of
from dealreg_registration.root_file import append_roots, last_root
from dealreg_registration.sealing import AT_ONCE, Sealed, seal
from dealreg_registration.signing_keys import SigningKeys
from dealreg_registration.tables_log import log_root
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import Database
from dealreg_shared.db.types import parse_instant
from dealreg_shared.outbox import Outbox
from dealreg_shared.receipts import Root
from dealreg_shared.telemetry import metrics
from dealreg_shared.turns import Turns

ENTRIES = metrics.counter("dealreg_log_entries", "Audit rows sealed into the log.")
ROOTS = metrics.counter("dealreg_log_roots", "Roots of the log, signed.")

ROOTS_AT_ONCE = 1000


class LogSealer:
    """One per process. ``committed`` is called after each seal, to wake the relay."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        keys: SigningKeys,
        *,
        programme: str,
        roots_file: Path,
        committed: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._keys = keys
        self._programme = programme
        self._roots_file = roots_file
        self._committed = committed
        self._written = False
        self.turned = Turns()

    async def seal(self, at_once: int = AT_ONCE) -> int:
        """Seal everything that waits now; how many audit rows that was."""
        rows = 0
        signer = self._keys.signer()

        def work(conn: Connection) -> Sealed | None:
            return seal(conn, signer, self._outbox, self._programme, at_once)

        while (sealed := await self._database.write(work)) is not None:
            crashpoint("sealer.sealed")
            rows += sealed.rows
            self.turned()
            ENTRIES.inc(sealed.rows)
            ROOTS.inc()
            self._committed()
            self._written = False
            if sealed.rows < at_once:
                break
        if not self._written:
            await self._write_roots()
            crashpoint("sealer.written")
            self._written = True
        return rows

    async def _write_roots(self) -> None:
        """Bring the file to the database's newest root."""
        last = await asyncio.to_thread(last_root, self._roots_file)
        while True:
            known = last

            def newer(conn: Connection, known: Root | None = known) -> list[Root]:
                query = select(log_root).order_by(log_root.c.sealed_at, log_root.c.size)
                if known is not None:
                    at = parse_instant(known.sealed_at)
                    query = query.where(
                        (log_root.c.sealed_at > at)
                        | ((log_root.c.sealed_at == at) & (log_root.c.size > known.size))
                    )
                rows = conn.execute(query.limit(ROOTS_AT_ONCE))
                return [root_of(row, self._programme) for row in rows]

            if not (roots := await self._database.read(newer)):
                return
            await asyncio.to_thread(append_roots, self._roots_file, roots)
            last = roots[-1]

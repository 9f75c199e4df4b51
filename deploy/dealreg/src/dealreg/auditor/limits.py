"""Reads within a limit of time, so that a slow query or a stuck database cannot switch the auditor off.

The limit holds twice: in the database, which stops the query, and here, for a database that does not
answer at all. What did not end here is left behind, and the same check is not asked again before it has.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from dealreg_shared.bounded import bounded
from dealreg_shared.db import Database

T = TypeVar("T")

GRACE_SECONDS = 1.0
"""What the database gets to stop a query before it is left alone."""

_STEPS = 10_000
"""SQLite's instructions between two looks at the clock."""

_CANCELLED = "57014"
_INTERRUPTED = 9


class TookTooLong(Exception):
    """A look did not end in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"did not end in {seconds:g} s")


class NoDatabase(Exception):
    """There is nothing to look at yet."""


class Limited:
    """One service's database, to be read only, each read within ``seconds``."""

    def __init__(self, database: Database, seconds: float) -> None:
        self.database = database
        self._seconds = seconds
        self._left_behind: dict[str, asyncio.Task[Any]] = {}

    async def read(self, name: str, work: Callable[[Connection], T]) -> T:
        """Raises ``TookTooLong``, ``NoDatabase``, and the database's errors."""
        found: T = await self._within(name, self._read(work))
        return found

    async def write(self, name: str, work: Callable[[Connection], T]) -> T:
        """The same, for the auditor's own heartbeat."""
        found: T = await self._within(name, self._write(work))
        return found

    async def _read(self, work: Callable[[Connection], T]) -> T:
        self._must_exist()
        return await self.database.read(lambda conn: self._stopped_in_time(conn, work))

    async def _write(self, work: Callable[[Connection], T]) -> T:
        self._must_exist()
        return await self.database.write(work)

    async def _within(self, name: str, doing: Any) -> Any:
        former = self._left_behind.get(name)
        if former is not None and not former.done():
            doing.close()
            raise TookTooLong(self._seconds)
        task = asyncio.ensure_future(doing)
        try:
            return await bounded(self._seconds + GRACE_SECONDS, task, tidying=0)
        except TimeoutError:
            if task.done() and not task.cancelled():
                raise  # the database's own
            self._left_behind[name] = task
            raise TookTooLong(self._seconds) from None
        except DBAPIError as error:
            stopped = (
                getattr(error.orig, "sqlstate", None) == _CANCELLED
                or getattr(error.orig, "sqlite_errorcode", None) == _INTERRUPTED
            )
            if stopped:
                raise TookTooLong(self._seconds) from error
            raise

    def _must_exist(self) -> None:
        """Looking at an SQLite file that is not there would make one."""
        file = self.database.url.database or ""
        if self.database.dialect == "sqlite" and not Path(file).is_file():
            raise NoDatabase(f"there is no {file} yet")

    def _stopped_in_time(self, conn: Connection, work: Callable[[Connection], T]) -> T:
        if conn.dialect.name == "postgresql":
            conn.exec_driver_sql(f"SET LOCAL statement_timeout = {int(self._seconds * 1000)}")
            return work(conn)
        raw: Any = conn.connection.driver_connection
        until = monotonic() + self._seconds
        raw.set_progress_handler(lambda: monotonic() > until, _STEPS)
        try:
            return work(conn)
        finally:
            raw.set_progress_handler(None, 0)

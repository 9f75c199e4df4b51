"""One class for a service's own database, SQLite or PostgreSQL.

A unit of work is a plain function of a synchronous ``Connection``: it cannot await, so no network call
can stand inside a transaction. ``write`` opens the transaction, runs the work, commits and returns its
result; nothing else in the house commits.

SQLite: one writer thread with BEGIN IMMEDIATE on a WAL file, so writers queue in process instead of
failing with "database is locked"; readers have threads of their own and see the last commit.
PostgreSQL: asyncpg under READ COMMITTED, with time limits that free the locks of a stalled process.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, func, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import greenlet_spawn

from dealreg_shared.contracts.base import format_instant
from dealreg_shared.db.types import UtcDateTime
from dealreg_shared.db.wal import use_wal
from dealreg_shared.private_files import make_file

T = TypeVar("T")

Work = Callable[[Connection], T]
"""A unit of work: everything it does is committed together or not at all."""

POSTGRES_LIMITS = {
    "idle_in_transaction_session_timeout": "10000",
    "statement_timeout": "15000",
    "lock_timeout": "5000",
    "jit": "off",
}
"""Milliseconds. A process that is stopped in mid-transaction loses its locks after 10 s."""

READER_THREADS = 4


def utc_now() -> datetime:
    """The wall clock. The only place in the house that reads it for business time."""
    return datetime.now(UTC)


_NOW = select(func.app_now(type_=UtcDateTime()))


def app_now(conn: Connection) -> datetime:
    """The instant by the database's clock, read when called (not at the start of the transaction)."""
    instant: datetime = conn.execute(_NOW).scalar_one()
    return instant


class Database:
    """A service's database. Made by a composition root, never at import.

    ``now`` is the clock on SQLite (registered there as ``app_now()``); PostgreSQL has its own function
    of that name, made by ``db.migrate``.
    """

    def __init__(
        self,
        url: str,
        *,
        now: Callable[[], datetime] = utc_now,
        pool_size: int = 5,
        by_index: bool = False,
    ) -> None:
        """``by_index`` is for look-ups alone: PostgreSQL then never reads a whole table where an index
        serves. It keeps the plan of a prepared statement, and one made while a table was small would
        read all of it for every look-up until the table is next analysed."""
        self.url: URL = make_url(url)
        self.dialect = self.url.get_backend_name()
        self._async: AsyncEngine | None = None
        if self.dialect == "sqlite":
            self._writer = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")
            self._readers = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="sqlite-reader")
            self._write_engine = _sqlite_engine(self.url, "BEGIN IMMEDIATE", now)
            self._read_engine = _sqlite_engine(self.url, "BEGIN", now)
        elif self.dialect == "postgresql":
            self._async = create_async_engine(
                self.url,
                pool_size=pool_size,
                max_overflow=0,
                pool_pre_ping=False,
                pool_reset_on_return="rollback",
                connect_args={
                    "server_settings": POSTGRES_LIMITS
                    | {"enable_seqscan": "off" if by_index else "on"},
                    "timeout": 10,
                },
            )
            self._write_engine = self._async.sync_engine
            # Asked for with BEGIN: a statement of its own would be one more round trip for each read.
            self._read_engine = self._write_engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        else:
            raise ValueError(
                f"no database of kind {self.dialect!r}; use sqlite or postgresql+asyncpg"
            )

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in one transaction and commit it. Whatever it raises rolls back all of it."""
        if self._async is not None:
            return await _in_loop(self._write_engine, work)
        return await self._in_thread(self._writer, self._write_engine, work)

    async def answers(self) -> None:
        """Returns if the database does; raises what is wrong otherwise."""
        await self.read(lambda conn: conn.execute(text("SELECT 1")).scalar_one())

    async def restructure(self, work: Work[T]) -> T:
        """Like ``write``, for changes to tables. SQLite replaces a table to change it, so its foreign
        keys are off meanwhile; ``work`` checks them itself (``PRAGMA foreign_key_check``)."""
        if self._async is not None:
            return await self.write(work)

        def without_keys(engine: Engine) -> T:
            with engine.connect() as conn:
                cursor = conn.connection.cursor()
                cursor.execute("PRAGMA foreign_keys=OFF")  # before it begins, else nothing happens
                try:
                    with conn.begin():
                        return work(conn)
                finally:
                    cursor.execute("PRAGMA foreign_keys=ON")

        return await self._finish(self._writer, lambda: without_keys(self._write_engine))

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` on a consistent view; it must not write."""
        if self._async is not None:
            return await _in_loop(self._read_engine, work)
        return await self._in_thread(self._readers, self._read_engine, work)

    async def dispose(self) -> None:
        if self._async is not None:
            await self._async.dispose()
            return
        self._writer.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        self._write_engine.dispose()
        self._read_engine.dispose()

    async def _in_thread(self, pool: ThreadPoolExecutor, engine: Engine, work: Work[T]) -> T:
        return await self._finish(pool, lambda: _within(engine, work))

    @staticmethod
    async def _finish(pool: ThreadPoolExecutor, run: Callable[[], T]) -> T:
        future = asyncio.get_running_loop().run_in_executor(pool, run)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            # The thread cannot be interrupted: wait for its end, so that the caller never goes on
            # while its own transaction is still running.
            await asyncio.wait([future])
            raise


def _within(engine: Engine, work: Work[T]) -> T:
    with engine.begin() as conn:
        return work(conn)


async def _in_loop(engine: Engine, work: Work[T]) -> T:
    """One greenlet for the whole transaction; SQLAlchemy's own ``AsyncConnection`` takes five, which
    cost 0.1 ms more."""
    return await greenlet_spawn(_within, engine, work)


def _sqlite_engine(url: URL, begin: str, now: Callable[[], datetime]) -> Engine:
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"), connect_args={"check_same_thread": False}
    )

    def keep_private(*_: Any) -> None:
        with suppress(OSError):  # SQLite says itself what it cannot open
            make_file(Path(url.database or ""))

    def connect(raw: sqlite3.Connection, _record: Any) -> None:
        raw.isolation_level = None  # the driver must not begin by itself; see `begin_transaction`
        use_wal(raw)
        for pragma in ("synchronous=FULL", "busy_timeout=5000", "foreign_keys=ON"):
            raw.execute(f"PRAGMA {pragma}")
        raw.create_function("app_now", 0, lambda: format_instant(now()))

    def begin_transaction(conn: Connection) -> None:
        conn.exec_driver_sql(begin)

    event.listen(engine, "do_connect", keep_private)
    event.listen(engine, "connect", connect)
    event.listen(engine, "begin", begin_transaction)
    return engine

"""Puts an SQLite file into write-ahead mode, also when several processes open a new one together."""

import sqlite3
import time

WAIT_SECONDS = 5.0


def use_wal(raw: sqlite3.Connection) -> None:
    """The first connection changes the file; later ones find it changed.

    SQLite does not wait here, whatever its busy timeout: of two that change a new file at once it
    refuses one with "database is locked". Raises that ``sqlite3.OperationalError`` if it lasts.
    """
    until = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            raw.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return

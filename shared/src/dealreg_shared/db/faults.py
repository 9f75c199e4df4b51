"""Tells a database's trouble from a fault of the work that was asked of it.

Trouble (a lost connection, a lock not got in time, a full disk) may be gone at the next try; a violated
constraint or a value of the wrong type is the same every time.
"""

from socket import gaierror

from sqlalchemy.exc import DataError as SqlDataError
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

_FAULT_CLASSES = ("22", "23", "42", "0A", "28", "3D")
"""SQLSTATE classes: data exception, integrity violation, syntax or access, feature not supported, wrong
role or password, no such database.

Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

_SQLITE_FAULTS = (1, 18, 19, 20, 21, 25)
"""Primary result codes: error in the statement, too big, constraint, mismatch, misuse, range.

The driver calls a wrong statement operational, like a lock that was not got in time.
Source: https://www.sqlite.org/rescode.html
"""


def is_transient(error: BaseException) -> bool:
    """Whether trying the same work again later may succeed."""
    if isinstance(error, PoolTimeout):
        return True
    if (state := _sqlstate(error)) is not None:
        return not state.startswith(_FAULT_CLASSES)
    if isinstance(error, DBAPIError):
        code = getattr(error.orig, "sqlite_errorcode", None)
        if isinstance(code, int):
            return code & 0xFF not in _SQLITE_FAULTS
        faults = (IntegrityError, SqlDataError, ProgrammingError, NotSupportedError)
        return error.connection_invalidated or not isinstance(error, faults)
    if isinstance(error, SQLAlchemyError):
        return False
    return isinstance(error, OSError)  # asyncpg cannot connect; TimeoutError is one too


def of_database(error: BaseException) -> bool:
    """Whether a database or the way to it raised the error. A missing file is not."""
    if _sqlstate(error) is not None:
        return True
    return isinstance(error, (SQLAlchemyError, ConnectionError, TimeoutError, gaierror))


def _sqlstate(error: BaseException) -> str | None:
    """PostgreSQL's code. What it says while a connection is made ("the database system is starting up")
    comes as the driver raised it, everything later wrapped."""
    state = getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlstate", None)
    return state if isinstance(state, str) else None

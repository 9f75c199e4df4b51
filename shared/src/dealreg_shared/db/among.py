"""Rows with one of many keys, asked for by one parameter: the statement's text is the same for any
number of keys, so it is prepared once.

Making a statement and finding it among those compiled takes SQLAlchemy longer than SQLite takes to run
it. Where a statement is asked often it is made once: by ``rows_among``, or by a function of the dialect
that is cached and asks for its keys with ``among_given``.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BindParameter,
    Column,
    ColumnElement,
    Connection,
    CursorResult,
    Select,
    String,
    any_,
    bindparam,
    func,
    select,
)
from sqlalchemy.types import TypeEngine

from dealreg_shared.db.types import JsonText


def among(
    conn: Connection, column: ColumnElement[str], values: Iterable[str]
) -> ColumnElement[bool]:
    """``column`` is one of ``values``."""
    dialect = conn.dialect.name
    return _one_of(dialect, column, bindparam(None, listed(values), type_=_list_type(dialect)))


def among_given(dialect: str, column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """``column`` is one of those that the statement is executed with, ``listed``, as ``name``."""
    return _one_of(dialect, column, bindparam(name, type_=_list_type(dialect)))


def listed(values: Iterable[str]) -> list[str]:
    """``values`` as a parameter: the same ones always in the same order."""
    return sorted(set(values))


def rows_among(
    conn: Connection, column: Column[str], values: Iterable[str], *what: Column[Any]
) -> CursorResult[Any]:
    """``what`` (else every column) of the rows of the column's table where it is one of ``values``."""
    return conn.execute(_select_among(conn.dialect.name, column, what), {"values": listed(values)})


@cache
def _select_among(dialect: str, column: Column[str], what: tuple[Column[Any], ...]) -> Select[Any]:
    return select(*(what or (column.table,))).where(among_given(dialect, column, "values"))


def _one_of(
    dialect: str, column: ColumnElement[str], parameter: BindParameter[Any]
) -> ColumnElement[bool]:
    if dialect == "postgresql":
        return column == any_(parameter)
    each = func.json_each(parameter).table_valued("value")
    return column.in_(select(each.c.value))


def _list_type(dialect: str) -> TypeEngine[Any]:
    return ARRAY(String) if dialect == "postgresql" else JsonText()

"""Insert a row, or overwrite or add to the one that stands: one statement, on both databases.

Written as text, built once per table: SQLAlchemy's own form is compiled anew at every call.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, TextClause, bindparam, text


def put(conn: Connection, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Insert a row or overwrite the one with this key."""
    conn.execute(_statement(table, tuple(key), tuple(values), False), {**key, **values})


def add(conn: Connection, table: Table, key: Mapping[str, Any], more: Mapping[str, int]) -> None:
    """Insert a row or add to the numbers of the one with this key."""
    conn.execute(_statement(table, tuple(key), tuple(more), True), {**key, **more})


@cache
def _statement(
    table: Table, key: tuple[str, ...], values: tuple[str, ...], adding: bool
) -> TextClause:
    names = (*key, *values)
    change = (
        f'"{name}" = ' + (f'{table.name}."{name}" + ' if adding else "") + f'excluded."{name}"'
        for name in values
    )
    statement = text(
        f"INSERT INTO {table.name} ({_quoted(names)}) "
        f"VALUES ({', '.join(f':{name}' for name in names)}) "
        f"ON CONFLICT ({_quoted(key)}) DO UPDATE SET {', '.join(change)}"
    )
    return statement.bindparams(*(bindparam(name, type_=table.c[name].type) for name in names))


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)

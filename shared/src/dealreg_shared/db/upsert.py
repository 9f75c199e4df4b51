"""Rows that may be there already: left as they are, replaced, or locked.

Both databases know ON CONFLICT, but SQLAlchemy offers it for each dialect by itself. Many rows travel as
one JSON text, so that the statement's text is the same for any number of them and is prepared once.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import orjson
from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    Text,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects import postgresql, sqlite

from dealreg_shared.contracts.base import format_instant
from dealreg_shared.db.types import CANONICAL, aware

Insert = postgresql.Insert | sqlite.Insert


def upsert(dialect: str, table: Table) -> Insert:
    """An insert that can say what becomes of a row that is there already."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def insert_new(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert ``rows``; one whose key is there already is left out."""
    if rows:
        statement = _insert_new(conn.dialect.name, table, tuple(rows[0]))
        conn.execute(statement, {"rows": document(rows)})


def put_rows(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert ``rows``, each in the place of the one that has its primary key."""
    if rows:
        statement = _put_rows(conn.dialect.name, table, tuple(rows[0]))
        conn.execute(statement, {"rows": document(rows)})


def lock_rows(
    conn: Connection, table: Table, keys: Iterable[tuple[str, ...]]
) -> Sequence[Row[Any]]:
    """Lock the rows with these primary keys and return those that exist.

    In the order of their keys, so that no two transactions wait for each other.
    """
    names = [str(it.name) for it in table.primary_key]  # else orjson refuses SQLAlchemy's own texts
    if rows := [dict(zip(names, key, strict=True)) for key in sorted(set(keys))]:
        return conn.execute(_lock_rows(conn.dialect.name, table), {"rows": document(rows)}).all()
    return ()


def insert_given(dialect: str, table: Table, names: Sequence[str]) -> Insert:
    """An insert of the rows that it is executed with as ``rows``, a ``document``, in their order."""
    # SQLite needs the WHERE, or it takes ON for the condition of a join.
    values = _given(dialect, (table.c[name] for name in names)).where(true())
    return upsert(dialect, table).from_select(list(names), values)


def document(rows: Sequence[Mapping[str, Any]]) -> str:
    """``rows`` as ``insert_given`` takes them. Raises TypeError for what JSON has no value for and for
    a naive time."""
    return orjson.dumps(rows, default=_instant, option=CANONICAL).decode()


def _instant(value: Any) -> str:
    if isinstance(value, datetime):
        return format_instant(aware(value))
    raise TypeError(f"{type(value).__name__} has no place in a document of rows")


def _given(dialect: str, columns: Iterable[Column[Any]]) -> Select[Any]:
    rows = bindparam("rows", type_=Text)
    if dialect == "postgresql":
        typed = [column(it.name, it.type) for it in columns]
        line = func.json_to_recordset(cast(rows, JSON)).table_valued(*typed)
        return select(*line.render_derived(with_types=True).c)
    each = func.json_each(rows).table_valued("value")
    paths: list[ColumnElement[Any]] = [literal_column(f"'$.{it.name}'") for it in columns]
    return select(*(func.json_extract(each.c.value, path) for path in paths))


@cache
def _insert_new(dialect: str, table: Table, names: tuple[str, ...]) -> Insert:
    return insert_given(dialect, table, names).on_conflict_do_nothing()


@cache
def _put_rows(dialect: str, table: Table, names: tuple[str, ...]) -> Insert:
    statement, key = insert_given(dialect, table, names), table.primary_key.columns
    return statement.on_conflict_do_update(
        index_elements=list(key),
        set_={name: statement.excluded[name] for name in names if name not in key},
    )


@cache
def _lock_rows(dialect: str, table: Table) -> Select[Any]:
    """Each row is looked up by its whole key, one after the other: of a condition on all keys at once
    PostgreSQL may look up a part and read all rows that have it."""
    key = tuple(table.primary_key)
    given = _given(dialect, key).subquery()
    row = select(table).where(*(it == given.c[index] for index, it in enumerate(key)))
    if dialect == "postgresql":
        return select(row.correlate(given).with_for_update().lateral()).select_from(given)
    return row

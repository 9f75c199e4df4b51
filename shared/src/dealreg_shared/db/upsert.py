"""Rows that may be there already: left as they are, changed, or locked.

Both databases know ON CONFLICT, but SQLAlchemy offers it for each dialect by itself.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, bindparam, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite


def upsert(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An insert that can say what becomes of a row that is there already."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def insert_new(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert ``rows``; one whose key is there already is left out."""
    if rows:
        conn.execute(_insert_new(conn.dialect.name, table), rows)


def lock_rows(
    conn: Connection, table: Table, keys: Collection[tuple[Any, ...]]
) -> Sequence[Row[Any]]:
    """Lock the rows with these primary keys and return those that exist.

    In the order of their keys, so that no two transactions wait for each other.
    """
    return conn.execute(_lock_rows(table), {"keys": sorted(set(keys))}).all() if keys else ()


@cache
def _insert_new(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    return upsert(dialect, table).on_conflict_do_nothing()


@cache
def _lock_rows(table: Table) -> Select[Any]:
    key = tuple(table.primary_key.columns)
    return (
        select(table)
        .where(tuple_(*key).in_(bindparam("keys", expanding=True)))
        .order_by(*key)
        .with_for_update()
    )

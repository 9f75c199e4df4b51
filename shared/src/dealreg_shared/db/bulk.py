"""Many rows of several tables in as few statements as the database allows.

On PostgreSQL one statement, whatever the number of tables and rows: each column travels as an array, so
its text is the same every time and is prepared once. On SQLite one prepared statement for each table.
Round trips and the building of statements cost more than the work itself here (see benchmarks/).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.types import TypeDecorator, TypeEngine

Row = Mapping[str, Any]

_CHUNKS = (64, 32, 16, 8, 4, 2, 1)
"""Rows in one SQLite statement. Few sizes, so that each text is prepared once; several rows, because
Python's driver gives the interpreter lock away for every execution and waits to get it back."""


@dataclass(frozen=True, slots=True)
class _Insert:
    """How to insert rows with certain columns: their names, types, and how values are converted."""

    into: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    converters: tuple[Callable[[Any], Any] | None, ...]

    def values(self, rows: Sequence[Row]) -> list[list[Any]]:
        """One list for each column. Raises KeyError or ValueError if the rows' columns differ."""
        width = len(self.columns)
        if any(len(row) != width for row in rows):
            raise ValueError(f"rows for {self.into} with different columns in one insert")
        return [
            [row[name] for row in rows] if convert is None else [convert(row[name]) for row in rows]
            for name, convert in zip(self.columns, self.converters, strict=True)
        ]


def insert_rows(conn: Connection, batch: Sequence[tuple[Table, Sequence[Row]]]) -> None:
    """Insert the rows of each table in their order; ids are counted in that order.

    All rows of a table have the same columns. A table that others refer to stands before them.
    """
    filled = [(table, rows) for table, rows in batch if rows]
    if not filled:
        return
    inserts = [_insert(conn.dialect, table, tuple(rows[0])) for table, rows in filled]
    if conn.dialect.name == "postgresql":
        parameters: list[list[Any]] = []
        for insert, (_, rows) in zip(inserts, filled, strict=True):
            parameters += insert.values(rows)
        conn.exec_driver_sql(_one_statement(tuple(inserts)), tuple(parameters))
        return
    for insert, (_, rows) in zip(inserts, filled, strict=True):
        values = list(zip(*insert.values(rows), strict=True))
        start = 0
        for size in _CHUNKS:
            while len(values) - start >= size:
                chunk = values[start : start + size]
                conn.exec_driver_sql(_of_many(insert, size), tuple(chain.from_iterable(chunk)))
                start += size


@lru_cache(maxsize=256)
def _insert(dialect: Dialect, table: Table, columns: tuple[str, ...]) -> _Insert:
    types = [table.c[name].type for name in columns]
    quote = dialect.identifier_preparer.quote
    return _Insert(
        into=f"{quote(table.name)} ({', '.join(quote(name) for name in columns)})",
        columns=columns,
        # Without the length: a cast to varchar(64) would cut a text off in silence.
        types=tuple(re.sub(r"\(\d+\)", "", kind.compile(dialect)) for kind in types),
        converters=tuple(_converter(kind, dialect) for kind in types),
    )


def _converter(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """What makes a value fit for the driver. Our own types are asked directly, without SQLAlchemy's
    wrapper around them, which takes longer than they do."""
    if not isinstance(kind, TypeDecorator):
        return kind.dialect_impl(dialect).bind_processor(dialect)
    if kind.load_dialect_impl(dialect).dialect_impl(dialect).bind_processor(dialect) is not None:
        return kind.dialect_impl(dialect).bind_processor(dialect)
    own = kind.process_bind_param
    return lambda value: own(value, dialect)


@lru_cache(maxsize=256)
def _of_many(insert: _Insert, size: int) -> str:
    marks = f"({', '.join('?' * len(insert.columns))})"
    return f"INSERT INTO {insert.into} VALUES {', '.join([marks] * size)}"


@lru_cache(maxsize=256)
def _one_statement(inserts: tuple[_Insert, ...]) -> str:
    """The inserts as one statement: PostgreSQL runs all, and looks at foreign keys at its end."""
    parts: list[str] = []
    count = 0
    for insert in inserts:
        arrays = []
        for kind in insert.types:
            count += 1
            arrays.append(f"${count}::{kind}[]")
        parts.append(f"INSERT INTO {insert.into} SELECT * FROM unnest({', '.join(arrays)})")
    *first, last = parts
    if not first:
        return last
    named = ", ".join(f"part{number} AS ({part})" for number, part in enumerate(first))
    return f"WITH {named} {last}"

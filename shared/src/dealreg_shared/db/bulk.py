"""Many rows of several tables in as few statements as the database allows.

On PostgreSQL one statement, whatever the number of tables and rows, so that its text is the same every
time and is prepared once. The rows of a table travel as one JSON text, as asyncpg looks at every
element of an array; those of a table with ``LONG_VALUES`` as an array for each column, as PostgreSQL
reads a JSON text twice. On SQLite few prepared statements for each table. Round trips and the building
of statements cost more than the work itself here (see benchmarks/).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import chain
from typing import Any

import orjson
from sqlalchemy import Connection, Date, Dialect, LargeBinary, Table
from sqlalchemy.types import TypeDecorator, TypeEngine

from dealreg_shared.contracts.base import format_instant
from dealreg_shared.db.types import CANONICAL, JsonText, UtcDateTime, aware, canonical_json

Row = Mapping[str, Any]

_JSON = (dict, list)

LONG_VALUES = {"long_values": True}
"""``Table(..., info=LONG_VALUES)``: few columns, and a kilobyte or more in some."""

_CHUNKS = (64, 32, 16, 8, 4, 2, 1)
"""Rows in one SQLite statement. Few sizes, so that each text is prepared once; several rows, because
Python's driver gives the interpreter lock away for every execution and waits to get it back."""


@dataclass(frozen=True, slots=True, eq=False)
class _Insert:
    """How to insert rows with certain columns: their names, types, and how values are converted."""

    into: str
    quoted: tuple[str, ...]
    columns: tuple[str, ...]
    types: tuple[str, ...]
    converters: tuple[Callable[[Any], Any] | None, ...]
    as_arrays: bool

    def parameters(self, rows: Sequence[Row]) -> Sequence[Any]:
        """The rows as PostgreSQL's ``source`` takes them. Raises as ``values`` and ``document`` do."""
        return (
            list(zip(*self.values(rows), strict=True)) if self.as_arrays else [self.document(rows)]
        )

    def source(self, number: int) -> str:
        """The rows that PostgreSQL makes of the parameters from ``number`` on."""
        if self.as_arrays:
            arrays = (f"${at}::{kind}[]" for at, kind in enumerate(self.types, start=number))
            return f"unnest({', '.join(arrays)})"
        pairs = zip(self.quoted, self.types, strict=True)
        columns = ", ".join(f"{name} {kind}" for name, kind in pairs)
        return f"json_to_recordset(${number}::json) AS line ({columns})"

    def values(self, rows: Sequence[Row]) -> list[list[Any]]:
        """Each row's values. Raises ValueError if the rows' columns differ."""
        self._check(rows)
        pairs = list(zip(self.columns, self.converters, strict=True))
        return [
            [row[name] if convert is None else convert(row[name]) for name, convert in pairs]
            for row in rows
        ]

    def document(self, rows: Sequence[Row]) -> str:
        """The rows as one JSON text. Raises as ``values`` does, and TypeError for what JSON lacks."""
        self._check(rows)
        pairs = [
            (name, convert)
            for name, convert in zip(self.columns, self.converters, strict=True)
            if convert is not None
        ]
        objects = []
        for row in rows:
            fit = dict(row)
            for name, convert in pairs:
                if (value := fit[name]) is not None:
                    fit[name] = convert(value)
            objects.append(fit)
        try:
            return orjson.dumps(objects, option=CANONICAL).decode()
        except orjson.JSONEncodeError:  # a JSON value that only the slower writer knows
            return canonical_json(
                [
                    {
                        name: canonical_json(value) if type(value) in _JSON else value
                        for name, value in fit.items()
                    }
                    for fit in objects
                ]
            )

    def _check(self, rows: Sequence[Row]) -> None:
        columns = rows[0].keys()
        if any(row.keys() != columns for row in rows):
            raise ValueError(f"rows for {self.into} with different columns in one insert")


def insert_rows(conn: Connection, batch: Sequence[tuple[Table, Sequence[Row]]]) -> None:
    """Insert the rows of each table in their order; ids are counted in that order.

    All rows of a table have the same columns. A table that others refer to stands before them.
    """
    filled = [(table, rows) for table, rows in batch if rows]
    if not filled:
        return
    inserts = [_insert(conn.dialect, table, tuple(rows[0])) for table, rows in filled]
    if conn.dialect.name == "postgresql":
        given = [insert.parameters(rows) for insert, (_, rows) in zip(inserts, filled, strict=True)]
        conn.exec_driver_sql(_one_statement(tuple(inserts)), tuple(chain.from_iterable(given)))
        return
    for insert, (_, rows) in zip(inserts, filled, strict=True):
        values = insert.values(rows)
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
    quoted = tuple(map(quote, columns))
    as_arrays = bool(table.info.get("long_values"))
    make = _for_document if dialect.name == "postgresql" and not as_arrays else _for_driver
    return _Insert(
        into=f"{quote(table.name)} ({', '.join(quoted)})",
        quoted=quoted,
        columns=columns,
        # Without the length: a cast to varchar(64) would cut a text off in silence.
        types=tuple(re.sub(r"\(\d+\)", "", kind.compile(dialect)) for kind in types),
        converters=tuple(make(kind, dialect) for kind in types),
        as_arrays=as_arrays,
    )


def _for_document(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """What makes a value fit for a JSON text that PostgreSQL reads rows from. NULL needs nothing.

    Of an object or array PostgreSQL gives a text column the very text, so JSON stands there as it is:
    writing it by itself and escaping it took 15 us a registration.
    """
    if isinstance(kind, JsonText):
        return lambda value: value if type(value) in _JSON else canonical_json(value)
    if isinstance(kind, UtcDateTime):
        return lambda value: format_instant(aware(value))
    if isinstance(kind, Date):
        return date.isoformat
    if isinstance(kind, LargeBinary):
        return lambda value: f"\\x{value.hex()}"
    return _for_driver(kind, dialect)


def _for_driver(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
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
    number = 1
    for insert in inserts:
        parts.append(f"INSERT INTO {insert.into} SELECT * FROM {insert.source(number)}")
        number += len(insert.columns) if insert.as_arrays else 1
    *first, last = parts
    if not first:
        return last
    named = ", ".join(f"part{number} AS ({part})" for number, part in enumerate(first))
    return f"WITH {named} {last}"

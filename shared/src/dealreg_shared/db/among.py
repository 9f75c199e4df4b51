"""Rows with one of many keys, asked for by one parameter: the statement's text is the same for any
number of keys, so it is prepared once."""

from collections.abc import Iterable

from sqlalchemy import ARRAY, ColumnElement, Connection, String, any_, bindparam, func, select

from dealreg_shared.db.types import JsonText


def among(
    conn: Connection, column: ColumnElement[str], values: Iterable[str]
) -> ColumnElement[bool]:
    """``column`` is one of ``values``."""
    listed = sorted(set(values))
    if conn.dialect.name == "postgresql":
        return column == any_(bindparam(None, listed, type_=ARRAY(String)))
    each = func.json_each(bindparam(None, listed, type_=JsonText)).table_valued("value")
    return column.in_(select(each.c.value))

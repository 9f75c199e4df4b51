"""Paging by cursor: a page continues after the last item's (sort key, id), so that no item is skipped
or shown twice while others are added.

A cursor is opaque to callers. It holds nothing that they were not shown, so it is encoded, not signed;
a cursor that was tampered with can only start elsewhere in what the caller may see anyway.
"""

import base64
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field
from sqlalchemy import BigInteger, ColumnElement, Integer, Select, and_, or_

from dealreg_shared.contracts.base import format_instant
from dealreg_shared.db import UtcDateTime
from dealreg_shared.web.problems import Problem
from dealreg_shared.web.texts import storable

MAX_LIMIT = 200
DEFAULT_LIMIT = 50

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Items per page")]
After = Annotated[
    str | None, Query(max_length=1000, description="`next` of the page before this one")
]

ItemT = TypeVar("ItemT")


class Page(BaseModel, Generic[ItemT]):
    """``{"items": [...], "next": cursor or null}``."""

    items: list[ItemT]
    next: Annotated[str | None, Field(description="Cursor of the next page; null at the end")] = (
        None
    )


class Position(NamedTuple):
    """Where a page ended: the last item's sort key (text, whole number or time) and id."""

    sort_key: str | int | datetime
    id: str


def encode(position: Position) -> str:
    """The position as a cursor: URL-safe, without padding."""
    key = position.sort_key
    value: Any = {"t": format_instant(key)} if isinstance(key, datetime) else key
    raw = json.dumps([value, position.id], separators=(",", ":"))
    return base64.urlsafe_b64encode(raw.encode()).rstrip(b"=").decode()


def decode(cursor: str) -> Position:
    """The position of a cursor. Raises ``Problem`` 422 for anything that ``encode`` did not make."""
    try:
        raw = base64.b64decode(
            cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True
        )
        key, id_ = json.loads(raw)
        if isinstance(key, dict):
            key = datetime.fromisoformat(key["t"])
        position = Position(key, id_)
        ours = _sane(position) and encode(position) == cursor
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        ours = False
    if not ours:
        raise _bad_cursor()
    return position


def _sane(position: Position) -> bool:
    key, id_ = position
    if isinstance(key, datetime):
        good = key.tzinfo is not None
    elif isinstance(key, int):
        good = not isinstance(key, bool) and -(2**63) <= key < 2**63
    else:
        good = isinstance(key, str) and storable(key)
    return good and isinstance(id_, str) and storable(id_)


def _fits(value: object, sort_key: ColumnElement[Any]) -> bool:
    """Whether the database can compare ``value`` with the column: it may be another list's cursor."""
    if isinstance(sort_key.type, Integer):
        bits = 63 if isinstance(sort_key.type, BigInteger) else 31
        return isinstance(value, int) and -(2**bits) <= value < 2**bits
    return isinstance(value, datetime if isinstance(sort_key.type, UtcDateTime) else str)


def _bad_cursor() -> Problem:
    return Problem(
        422,
        "invalid-cursor",
        "That is no cursor",
        "`after` must be the `next` of a page of this list.",
        [{"field": "?after", "rule": "must be the next of a page of this list"}],
    )


def after(
    query: Select[Any],
    sort_key: ColumnElement[Any],
    id_column: ColumnElement[str],
    cursor: str | None,
    limit: int,
    *,
    descending: bool = False,
) -> Select[Any]:
    """``query`` in the order (sort key, id), from ``cursor`` on, with one row more than ``limit``: the
    extra row tells ``page`` that there is a next one."""
    if cursor is not None:
        position = decode(cursor)
        if not _fits(position.sort_key, sort_key):
            raise _bad_cursor()
        if descending:
            query = query.where(
                or_(
                    sort_key < position.sort_key,
                    and_(sort_key == position.sort_key, id_column < position.id),
                )
            )
        else:
            query = query.where(
                or_(
                    sort_key > position.sort_key,
                    and_(sort_key == position.sort_key, id_column > position.id),
                )
            )
    order = (sort_key.desc(), id_column.desc()) if descending else (sort_key, id_column)
    return query.order_by(*order).limit(limit + 1)


RowT = TypeVar("RowT")


def page(
    rows: Sequence[RowT], limit: int, position_of: Callable[[RowT], Position]
) -> tuple[Sequence[RowT], str | None]:
    """The rows to show, and the cursor of the next page (None at the end)."""
    if len(rows) <= limit:
        return rows, None
    shown = rows[:limit]
    return shown, encode(position_of(shown[-1]))

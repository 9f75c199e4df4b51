"""Column types that mean the same on SQLite and PostgreSQL."""

import json
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import DateTime, Dialect, String, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator, TypeEngine

from dealreg_shared.contracts.base import format_instant

CANONICAL = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_PASSTHROUGH_DATACLASS  # no silent spelling of what is no JSON value
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant in UTC, to the microsecond.

    ``timestamptz`` on PostgreSQL; fixed-width RFC 3339 text on SQLite, where text order is time order.
    A naive value is an error.
    """

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(String(27))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        return aware(value) if dialect.name == "postgresql" else format_instant(aware(value))

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name == "postgresql":
            return value if value is None else value.astimezone(UTC)
        return parse_instant(value)


def aware(value: datetime) -> datetime:
    """``value``. Raises ValueError if it has no zone."""
    if value.tzinfo is None:
        raise ValueError("a naive time reached the database; use an aware UTC time")
    return value


def parse_instant(text: str) -> datetime:
    """Read what ``format_instant`` wrote."""
    return datetime.fromisoformat(text).astimezone(UTC)


class JsonText(TypeDecorator[Any]):
    """JSON kept as the very text that was written: canonical (sorted keys, no blanks), so bytes compare.

    Not ``jsonb``: decisions and answers must come back byte for byte, and parsing costs time.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else canonical_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


def canonical_json(value: Any) -> str:
    """The one spelling of a JSON value: sorted keys, no blanks, UTF-8 characters as they are.

    Raises TypeError for what JSON has no value for.
    """
    try:
        return orjson.dumps(value, option=CANONICAL).decode()
    except orjson.JSONEncodeError:  # integers beyond 64 bits, keys that are no strings
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

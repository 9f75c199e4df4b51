"""Types that every contract uses: money, market, and the base of event data.

Readers are tolerant (unknown fields are ignored), writers strict (a wrong type is an error, never a
conversion), and nothing can be changed once made. Must not know any service, table or HTTP.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time needs a zone; write RFC 3339 with Z")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time between the years 1 and 9999 in UTC") from None


@lru_cache(maxsize=1024)  # one decision writes the same few instants twenty times
def format_instant(value: datetime) -> str:
    """RFC 3339 in UTC with microseconds and ``Z``; the one spelling used in storage and on the wire."""
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _decimal(value: Any) -> Any:
    """Accept decimal strings only: a JSON float has already lost what was written.

    Plain digits, as the schema says: written out, a short exponent is a string of any length.
    """
    if isinstance(value, str):
        if not _DECIMAL.fullmatch(value):
            raise ValueError("a decimal string such as 1250.00")
        return Decimal(value)
    return value


def _finite(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise ValueError("a finite decimal number")
    return value


Instant = Annotated[
    datetime,
    AfterValidator(_utc),
    PlainSerializer(format_instant, when_used="json"),
]
"""An instant, always in UTC."""

DecimalString = Annotated[
    Decimal,
    BeforeValidator(_decimal),
    AfterValidator(_finite),
    PlainSerializer(lambda value: format(value, "f"), when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^-?\d+(\.\d+)?$", "examples": ["25000.00"]}),
]
"""A decimal number, a string on the wire."""

CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code")]


class Contract(BaseModel):
    """Base of everything that travels: frozen, tolerant to read, strict to write."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Money(Contract):
    amount: DecimalString
    currency: CurrencyCode


class Market(Contract):
    """Region x segment. ``None`` stands for a fact that is unknown or outside every region."""

    region: str | None
    segment: str | None

    @property
    def id(self) -> str:
        """``region/segment``, with ``-`` for an unknown part."""
        return f"{self.region or '-'}/{self.segment or '-'}"


class EventData(Contract):
    """Base of the ``data`` of every event. Holds ids and business facts, never a person's data."""

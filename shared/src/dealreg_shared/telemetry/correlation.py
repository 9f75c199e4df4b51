"""Which request or event the code is working for: the correlation id and the W3C trace parent.

Kept in context variables, so that a log line and an event name it without passing it by hand. Ids from
outside are taken only if they look sane; they end up in logs and events.

Source of the trace parent's shape: https://www.w3.org/TR/trace-context/#traceparent-header
"""

import re
from contextvars import ContextVar

from dealreg_shared.ids import new_id

correlation_id: ContextVar[str | None] = ContextVar("dealreg_correlation_id", default=None)
traceparent: ContextVar[str | None] = ContextVar("dealreg_traceparent", default=None)

_CORRELATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def accept(correlation: str | None, trace: str | None) -> tuple[str, str | None]:
    """The correlation id and trace parent to work under, from what a caller sent.

    A sane ``X-Correlation-Id`` wins, then the trace id of a valid ``traceparent``, else a new id.
    """
    match = _TRACEPARENT.fullmatch(trace) if trace else None
    parent = trace if match else None
    if correlation and _CORRELATION.fullmatch(correlation):
        return correlation, parent
    return (match.group(1) if match else new_id("cor")), parent


def current() -> str:
    """The correlation id in force; a new one outside any request."""
    return correlation_id.get() or new_id("cor")

"""Log lines as JSON objects, one per line, on standard error: ours, and those of every library.

Each carries the correlation id. API keys, passwords in URLs and fields that hold secrets or bodies are
masked here, at the last step, so that no caller has to remember it.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog

from dealreg_shared.config import SharedSettings
from dealreg_shared.telemetry.correlation import correlation_id

MASK = "***"

SECRET_FIELDS = frozenset(
    {"authorization", "api_key", "key", "secret", "password", "token", "cookie", "body", "key_hash"}
)
_SECRETS = re.compile(
    r"drk_[0-9A-Za-z_]{8,}|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)|(?<=Bearer )\S+|(?<=/decide/)[\w.-]+"
)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger. Say what happened in a few words, and give the facts as fields: ids, never bodies."""
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger(name))


def configure_logging(settings: SharedSettings, stream: TextIO | None = None) -> None:
    """Send every log line of the process through one formatter. Call once, at the start."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _add_correlation,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=True, default=str)
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                mask_secrets,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    # Their own lines say what ours say already, once per request, tick or revision.
    for name in ("alembic", "aiokafka", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # It warns whenever a tick outlasts its interval, which a busy tick may do.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True
    logging.getLogger("uvicorn.access").disabled = not settings.http_access_log


def _add_correlation(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    current = correlation_id.get()
    if current is not None:
        event.setdefault("correlation_id", current)
    return event


def mask_secrets(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Mask whole fields by name, and API keys and URL passwords inside any text."""
    for name, value in event.items():
        event[name] = MASK if name.lower() in SECRET_FIELDS else masked(value)
    return event


def masked(value: Any) -> Any:
    """``value`` with the secrets in its texts masked, however deep they are."""
    if isinstance(value, str):
        return _SECRETS.sub(MASK, value)
    if isinstance(value, dict):
        return {
            name: MASK if str(name).lower() in SECRET_FIELDS else masked(item)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [masked(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return _SECRETS.sub(MASK, str(value))

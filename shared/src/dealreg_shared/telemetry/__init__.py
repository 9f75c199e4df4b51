"""Logs, metrics, health and correlation of one process. Must not know any service or business word."""

from dealreg_shared.telemetry import metrics
from dealreg_shared.telemetry.correlation import correlation_id, current, traceparent
from dealreg_shared.telemetry.health import Check, Note, routes
from dealreg_shared.telemetry.logs import configure_logging, get_logger
from dealreg_shared.telemetry.requests import Requests

__all__ = [
    "Check",
    "Note",
    "Requests",
    "configure_logging",
    "correlation_id",
    "current",
    "get_logger",
    "metrics",
    "routes",
    "traceparent",
]

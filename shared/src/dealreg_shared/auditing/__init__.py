"""What must be true of a service's own tables, in words that all services share.

A service lists its checks in its ``auditing.py`` and exports them as ``app.AUDITED``; the auditor runs
them and compares what several services know. Checks only read.
"""

from dealreg_shared.auditing.findings import (
    MOST,
    OVERDUE,
    SLICE,
    Audited,
    Check,
    Finding,
    Looked,
    OpenCase,
    whole,
)

__all__ = [
    "MOST",
    "OVERDUE",
    "SLICE",
    "Audited",
    "Check",
    "Finding",
    "Looked",
    "OpenCase",
    "whole",
]

"""The inbox: every event applied once, in order, or its key parked."""

from dealreg_shared.inbox.applying import Handler, NotYet, Together
from dealreg_shared.inbox.consume import Consumer
from dealreg_shared.inbox.replaying import ReplayStopped
from dealreg_shared.inbox.tables import InboxTables, inbox_tables

__all__ = [
    "Consumer",
    "Handler",
    "InboxTables",
    "NotYet",
    "ReplayStopped",
    "Together",
    "inbox_tables",
]

"""The transactional outbox: append in the deciding transaction, relay afterwards."""

from dealreg_shared.outbox.append import EventTooLarge, Outbox, Outgoing, Wire
from dealreg_shared.outbox.relay import Relay
from dealreg_shared.outbox.tables import OutboxTables, outbox_tables

__all__ = ["EventTooLarge", "Outbox", "OutboxTables", "Outgoing", "Relay", "Wire", "outbox_tables"]

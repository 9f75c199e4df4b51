"""The event bus: one port, two implementations."""

"""The inbox: every event applied once, in order, or its key parked."""

"""The rules of the ladder and of notices: standard library only, no clock, no I/O."""

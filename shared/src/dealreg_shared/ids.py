"""Identifiers: UUIDv7 behind a readable prefix, so that a log line says what it names.

Ids sort by creation time. They say nothing about places in a queue: never order claims by them.
"""

from uuid import UUID

import uuid_utils
from uuid_utils.compat import uuid7


def new_id(prefix: str) -> str:
    """A new id such as ``reg_0193c1d2...`` (prefix, underscore, 32 hexadecimal digits)."""
    return f"{prefix}_{uuid_utils.uuid7().hex}"


def new_event_id() -> UUID:
    """A new UUIDv7 for an event (RFC 9562)."""
    return uuid7()


def new_secret() -> str:
    """32 hexadecimal digits with 122 random bits, which nobody can foresee.

    From a generator that the system's randomness seeds. ``secrets`` asks the system for each value and
    lets go of the interpreter's lock meanwhile: under load that costs a turn of another thread.
    """
    return uuid_utils.uuid4().hex

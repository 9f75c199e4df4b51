"""Which texts can be stored: not NUL (PostgreSQL refuses it), not a lone surrogate (no UTF-8 has it).

Python and JSON allow both, so a caller can send them; unchecked they become errors of the database.
"""

from typing import Any


def storable(value: Any) -> bool:
    """Whether every text inside ``value`` (texts, lists, objects) can be stored."""
    if isinstance(value, str):
        return "\0" not in value and (value.isascii() or not has_surrogate(value))
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(storable, value))
    if isinstance(value, dict):
        return all(storable(name) and storable(item) for name, item in value.items())
    return True


def has_surrogate(text: str) -> bool:
    """Whether ``text`` holds half of a surrogate pair, which no encoding can write."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False

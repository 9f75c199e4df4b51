"""What is under way on a claim beside its state: an offer, a question, a request, a warning.

None of these is a state: window and place stay. A claim that ends loses all of them. Instants alone,
so that the steps of time follow from them; what people wrote stands in the correspondence.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Flags:
    """A vacancy is named by the instant at which its line was lost."""

    offered_for: datetime | None = None
    """The vacancy that is offered to this standby claim, to be confirmed before ``offered_until``."""
    offered_until: datetime | None = None
    passed: datetime | None = None
    """The vacancy that it let pass: it is not offered that one again."""
    information_due: datetime | None = None
    """Information is wanted, and the claim lapses here without it."""
    extension_asked: datetime | None = None
    object_until: datetime | None = None
    """Until when the partner may object to the line being another's; a case opens then (policy)."""
    transfer_until: datetime | None = None
    """A transfer of this claim waits for consent until here."""
    referral_exhausted: datetime | None = None
    """Nobody took its referral, so its partner counts as in territory, or the claim as open (policy)."""
    reminded_at: datetime | None = None
    """The partner was told of the end of the protection up to here."""
    idle_warned_at: datetime | None = None
    idle_release_at: datetime | None = None
    """Without activity since the warning, the claim is released here."""


NO_FLAGS = Flags()
_NAMES = tuple(field.name for field in fields(Flags))


def to_json(flags: Flags) -> dict[str, str] | None:
    """The flags that are set, as RFC 3339 texts; None if none is."""
    if flags is NO_FLAGS or flags == NO_FLAGS:
        return None
    set_ = ((name, getattr(flags, name)) for name in _NAMES)
    return {
        name: value.isoformat().replace("+00:00", "Z") for name, value in set_ if value is not None
    }


def from_json(stored: Mapping[str, Any] | None) -> Flags:
    """Read what ``to_json`` wrote."""
    if not stored:
        return NO_FLAGS
    return Flags(**{name: datetime.fromisoformat(value) for name, value in stored.items()})

"""Events that notifier emits. Topic ``dealreg.escalation``, key = conflict or notification id."""

from typing import Annotated, Literal

from pydantic import Field

from dealreg_shared.contracts.base import EventData, Instant

Level = Annotated[int, Field(ge=1, le=4, description="4 is the reviewer of the CEO's rulings")]
Role = Literal["partner_manager", "vp", "ceo", "reviewer"]


class EscalationRaised(EventData):
    """A level of the ladder became responsible for a conflict, and its person was sent a notice."""

    conflict_id: str
    level: Level
    role: Role
    person_id: str | None
    due_at: Instant | None
    at: Instant
    late_seconds: Annotated[float, Field(ge=0, description="How long after it was due")]


class DeadlineBreached(EventData):
    """A level's time ran out before the conflict was settled."""

    conflict_id: str
    level: Level
    role: Role
    person_id: str | None
    due_at: Instant
    at: Instant


class EscalationEnded(EventData):
    """The conflict was settled; no timer of it is pending any more."""

    conflict_id: str
    level: Level
    at: Instant
    breached_levels: tuple[int, ...] = ()


class NotificationFailed(EventData):
    """A notice could not be delivered on one channel and was put aside (dead-lettered)."""

    notification_id: str
    kind: str
    channel: str
    recipient_id: str
    attempts: int
    error: str
    at: Instant

"""What notifier's API answers. Never the tables' shape by itself: fields are listed one by one."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from dealreg_notifier.store import Case
from dealreg_notifier.tables import Fields
from dealreg_shared.contracts.base import Instant
from dealreg_shared.ladder import Deadline, level_at, missed


class Notification(BaseModel):
    """A notice as its recipient reads it."""

    id: str
    kind: Annotated[str, Field(description="Such as `decision`, `ladder` or `case_open`")]
    recipient: Annotated[str, Field(description="`partner:<id>`, or a person's id")]
    subject: Annotated[str, Field(description="Id of the registration, conflict or plan")]
    title: str
    text: str
    created_at: Instant
    read_at: Instant | None

    @classmethod
    def of(cls, row: Fields) -> "Notification":
        return cls(
            id=row["notification_id"],
            kind=row["kind"],
            recipient=row["recipient"],
            subject=row["subject"],
            title=row["title"],
            text=row["text"],
            created_at=row["created_at"],
            read_at=row["read_at"],
        )


class Level(BaseModel):
    """One rung of the ladder as stamped last."""

    level: int
    role: str
    person_id: Annotated[str | None, Field(description="null: nobody is named for this level")]
    due_at: Instant | None

    @classmethod
    def of(cls, rung: Deadline) -> "Level":
        return cls(level=rung.level, role=rung.role, person_id=rung.person_id, due_at=rung.due_at)


class Escalation(BaseModel):
    """A conflict on its ladder. ``level`` is computed for the instant of the answer."""

    conflict_id: str
    kind: str
    account_name: str
    region: str | None
    segment: str | None
    opened_at: Instant
    closed_at: Instant | None
    closed_state: str | None
    level: int | None
    role: str | None
    person_id: str | None
    due_at: Instant | None
    seconds_left: Annotated[
        float | None, Field(description="Until the level's deadline; null: none, paused, or closed")
    ]
    paused_until: Annotated[
        Instant | None, Field(description="The clocks stand until then at the latest")
    ]
    breached_levels: list[int]
    levels: list[Level]

    @classmethod
    def of(cls, case: Case, now: datetime) -> "Escalation":
        """The case at ``now``, whatever a tick has told anybody by then."""
        course = case.course
        level = None if course is None else level_at(course, now)
        rungs = () if course is None else course.stamps[-1].deadlines
        rung = next((rung for rung in rungs if rung.level == level), None)
        pause = None if course is None or case.closed_at is not None else course.paused(now)
        due_at = None if rung is None else rung.due_at
        running = due_at is not None and case.closed_at is None and pause is None
        return cls(
            conflict_id=case.conflict_id,
            kind=case.kind,
            account_name=case.account_name,
            region=case.region,
            segment=case.segment,
            opened_at=case.opened_at,
            closed_at=case.closed_at,
            closed_state=case.closed_state,
            level=level,
            role=None if rung is None else rung.role,
            person_id=None if rung is None else rung.person_id,
            due_at=due_at,
            seconds_left=(due_at - now).total_seconds() if running and due_at else None,
            paused_until=None if pause is None else pause.end,
            breached_levels=[] if course is None else [r.level for r in missed(course, now)],
            levels=[Level.of(rung) for rung in rungs],
        )


DeliveryState = Literal["pending", "sending", "delivered", "dead", "cancelled"]


class Delivery(BaseModel):
    """A notice on its way to one person on one channel."""

    id: str
    notification_id: str
    kind: str
    title: str
    channel: str
    recipient: Annotated[str, Field(description="The person's id")]
    state: DeliveryState
    attempts: int
    due_at: Annotated[
        Instant | None, Field(description="Next attempt; while sending, the end of the lease")
    ]
    error: str | None
    carries: Annotated[int, Field(description="Notices in its message; 0 before the first attempt")]
    carried_by: Annotated[
        str | None, Field(description="The delivery whose message this notice went with")
    ]
    created_at: Instant
    ended_at: Instant | None

    @classmethod
    def of(cls, row: Fields) -> "Delivery":
        return cls(
            id=row["delivery_id"],
            notification_id=row["notification_id"],
            kind=row["kind"],
            title=row["title"],
            channel=row["channel"],
            recipient=row["recipient"],
            state=row["state"],
            attempts=row["attempt"],
            due_at=row["due_at"] if row["state"] in ("pending", "sending") else None,
            error=row["error"],
            carries=row["carries"],
            carried_by=row["carried_by"],
            created_at=row["created_at"],
            ended_at=row["ended_at"],
        )

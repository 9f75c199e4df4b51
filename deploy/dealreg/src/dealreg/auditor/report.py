"""The auditor's answer, in the words of its API."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field


class CheckReport(BaseModel):
    """One check of one service."""

    check: str
    service: str
    state: Literal["clean", "findings", "settling"]
    findings: int = Field(description="How many faults are known.")
    accepted: int = Field(description="How many more a person has accepted as they are.")
    looked_at: int = Field(description="Rows in the last whole round.")
    round_ended_at: datetime | None = Field(description="When it had last been through everything.")
    seconds: float = Field(description="How long the last look took.")
    waits_for: str | None = Field(description="Why it cannot tell yet.")


class FindingReport(BaseModel):
    """One fault."""

    check: str
    service: str
    sentence: str
    ids: list[str]
    since: datetime | None = Field(
        description="From when on the fault is known to have been there."
    )
    first_seen_at: datetime


class PingReport(BaseModel):
    """What the dead man's URL said last."""

    at: datetime
    outcome: str


class AuditHealth(BaseModel):
    """Whether everything agrees and moves. ``settling``: no fault is known, and not all was looked at
    yet."""

    status: Literal["clean", "findings", "settling"]
    at: datetime
    last_clean_at: datetime | None = Field(
        description="The last pass in which every check was clean."
    )
    books_ended_at: datetime | None
    ping: PingReport | None = Field(description="None: no URL is set, or nothing was clean yet.")
    checks: list[CheckReport]
    findings: list[FindingReport] = Field(
        description="At most 20 per check; `findings` counts all."
    )

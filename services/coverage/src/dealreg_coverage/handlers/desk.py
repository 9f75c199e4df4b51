"""What every handler needs at hand, and who or what caused a change."""

from dataclasses import dataclass
from typing import Any

from dealreg_coverage.plans import PlanShelf
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.ids import new_id
from dealreg_shared.outbox import Outbox


@dataclass(frozen=True, slots=True)
class Desk:
    """``quiet`` while the log is read again: sums are kept, nothing is assessed or told."""

    shelf: PlanShelf
    outbox: Outbox
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something is assessed again: a sentence for readers, ids for tracing."""

    because: str
    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None

    @classmethod
    def of(cls, event: Event[Any], because: str) -> "Cause":
        return cls(because, event.correlationid, str(event.id), event.traceparent)

    @classmethod
    def by_itself(cls, because: str) -> "Cause":
        """Time passed, or somebody asked: the chain begins here."""
        return cls(because, new_id("cor"))

"""One check's round: slice after slice until the end of its table, and what it has found so far.

A fault stays named until the slice that holds it was looked at again and is well. A look that fails is
itself a finding, unless the installation is just starting.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Literal

from dealreg_shared.auditing import Finding, Looked

State = Literal["clean", "findings", "settling"]

BUDGET_SECONDS = 2.0
"""A check takes slices for so long before the next check gets its turn."""


class Unsettled(Exception):
    """A check cannot tell yet; it says what it waits for."""


@dataclass(frozen=True, slots=True)
class Job:
    """A check, bound to what it looks at."""

    name: str
    service: str
    look: Callable[[str], Awaitable[Looked]]


@dataclass(slots=True)
class Round:
    """``former`` are the findings of the last whole round, ``found`` those of this one."""

    job: Job
    after: str = ""
    former: list[Finding] = field(default_factory=list)
    found: list[Finding] = field(default_factory=list)
    counted: int = 0
    looked_at: int = 0
    ended_at: datetime | None = None
    seconds: float = 0.0
    waits_for: str | None = "it has not been looked at yet"
    failed: Finding | None = None

    @property
    def findings(self) -> list[Finding]:
        """Each fault once, those of this round first."""
        failed = [self.failed] if self.failed is not None else []
        by_ids = {finding.ids or finding.sentence: finding for finding in self.former}
        by_ids |= {finding.ids or finding.sentence: finding for finding in self.found}
        return [*failed, *by_ids.values()]

    @property
    def state(self) -> State:
        if self.findings:
            return "findings"
        return "settling" if self.ended_at is None or self.waits_for is not None else "clean"

    async def go(self, now: Callable[[], datetime], *, starting: bool = False) -> None:
        """Look at slices until the table ends or the time is up. ``starting``: a look that fails may
        do so because what it looks at is not there yet. Raises nothing but cancellation."""
        began = monotonic()
        self.failed = None
        try:
            while True:
                looked = await self.job.look(self.after)
                self._take(looked, now)
                if looked.after is None or monotonic() - began > BUDGET_SECONDS:
                    break
        except Unsettled as error:
            self.waits_for = str(error)
        except Exception as error:  # whatever kept it from looking is what there is to tell
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            if starting and self.ended_at is None:
                self.waits_for = reason
            else:
                self.failed = Finding(
                    f"The check {self.job.name} of {self.job.service} could not look: {reason}",
                    (self.job.service, self.job.name),
                )
        self.seconds = monotonic() - began

    def _take(self, looked: Looked, now: Callable[[], datetime]) -> None:
        self.found += looked.findings
        self.counted += looked.looked_at
        self.waits_for = None
        self.after = looked.after or ""
        if looked.after is None:
            self.former, self.found = self.found, []
            self.looked_at, self.counted = self.counted, 0
            self.ended_at = now()

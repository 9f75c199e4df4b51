"""Who held a product line at an instant, as it was known at another: a fold over the steps of claims.

Two times belong to a step. It is *known* from the instant at which it was made, or, if time made it,
from the instant at which it was due: everybody could tell it from then on, whenever a sweep wrote it
down. It *counts* from the same instant, except for a correction, which counts back to when what it
corrects took effect. Steps are only added, so what was known then stays as answerable as what is now.

Pure: reads no clock and no account. The running state must agree with it (tests/unit).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from dealreg_registration.domain.account import HOLDING, State
from dealreg_registration.domain.causes import Cause


@dataclass(frozen=True, slots=True)
class Step:
    """What a claim became. Steps come in the order in which they were written.

    ``counts_from`` is not after ``known_from``; ``recorded_at`` is when the step was written.
    """

    claim_id: str
    place: int
    state: State
    cause: Cause
    known_from: datetime
    counts_from: datetime
    recorded_at: datetime
    plan_number: int | None
    protected_until: datetime | None = None
    co_holds: str | None = None
    case_id: str | None = None
    reasons: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return self.state in HOLDING

    @property
    def corrects(self) -> bool:
        """Whether it says something about a time before it was known."""
        return self.counts_from < self.known_from


@dataclass(frozen=True, slots=True)
class Held:
    """A claim at an instant: its latest step by then, and ``since``, the one that began its hold.

    For a co-holder ``since`` is the ruling that made it one, for standby the step that put it there.
    """

    step: Step
    since: Step


@dataclass(frozen=True, slots=True)
class Protected:
    """Who was protected on a line, who shared it, and who waited behind it, all in true order.

    ``holders`` is one claim or none; more where accounts that are one by now were two then.
    ``corrections`` are the steps that count at the instant but were known only later.
    """

    holders: tuple[Held, ...] = ()
    co_holders: tuple[Held, ...] = ()
    standby: tuple[Held, ...] = ()
    corrections: tuple[Step, ...] = ()


@dataclass(slots=True)
class _Course:
    """The steps of one claim that count at the instant, in the order in which they were written."""

    steps: list[Step] = field(default_factory=list)

    def held(self) -> Held:
        """Its latest step, and the one since when it has been as it is without a break."""
        since = last = self.steps[-1]
        for step in reversed(self.steps):
            alike = step.holds if last.holds else step.state == last.state
            if not alike or step.co_holds != last.co_holds:
                break
            since = step
        return Held(last, since)


def who_was_protected(steps: Iterable[Step], at: datetime, known_at: datetime) -> Protected:
    """Who held a line at ``at``, by what was known at ``known_at``, which is not before ``at``.

    ``steps`` are those of the line's claims. The latest one written that counts at ``at`` tells a
    claim's state: each says how things are from when it counts. A claim is there from its first step on.
    """
    if known_at < at:
        raise ValueError("what was known before an instant says nothing of it")
    courses: dict[str, _Course] = {}
    filed: set[str] = set()
    corrections: list[Step] = []
    for step in steps:
        first = step.claim_id not in filed
        filed.add(step.claim_id)
        if step.known_from > known_at or step.counts_from > at:
            continue
        if not first and step.claim_id not in courses:
            continue  # a correction that reaches back to before the claim was filed
        courses.setdefault(step.claim_id, _Course()).steps.append(step)
        if step.corrects and step.known_from > at:
            corrections.append(step)
    # In order of filing. Where accounts were merged, places of several numberings meet.
    found = [
        course.held()
        for course in sorted(
            courses.values(), key=lambda it: (it.steps[0].known_from, it.steps[0].place)
        )
    ]
    holders = tuple(held for held in found if held.step.holds)
    leads = {held.step.claim_id for held in holders}
    waiting = [held for held in found if held.step.state == "contested"]
    return Protected(
        holders,
        tuple(held for held in waiting if held.step.co_holds in leads),
        tuple(held for held in waiting if held.step.co_holds not in leads),
        tuple(corrections),
    )

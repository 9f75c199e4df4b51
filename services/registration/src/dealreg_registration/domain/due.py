"""Steps that time alone makes due, whatever they are.

A provider looks at an account and says what will be due when, by what is known now; ``domain.settle``
has the list of providers and runs what is due. A step must change the account so that its provider no
longer yields it. Nothing here reads a clock or knows a kind of step.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from dealreg_registration.domain.account import Account, Claim
from dealreg_registration.domain.plan import PlanBook, Standing


@dataclass(frozen=True, slots=True)
class Timeline:
    """What time depends on besides the account: all plans, and when partners were active."""

    book: PlanBook
    standing: Standing


Step = Callable[[Account, Claim, Timeline, datetime], None]
"""Carries out what is due on a claim, at its instant."""


@dataclass(frozen=True, slots=True)
class Due:
    """A step of a claim, due at ``at``. ``rank`` orders kinds of steps at one instant and place."""

    at: datetime
    claim: Claim
    rank: int
    step: Step

    @property
    def turn(self) -> tuple[datetime, tuple[datetime, int, str], int]:
        """Steps are carried out in order of instant, then place, then kind."""
        return self.at, self.claim.turn, self.rank


_turn = attrgetter("turn")

Provider = Callable[[Account, Timeline], Iterator[Due]]


def first_due(account: Account, timeline: Timeline, providers: Iterable[Provider]) -> Due | None:
    """The step whose turn is next, be it due by now or not; None if time alone changes nothing."""
    steps = [due for provider in providers for due in provider(account, timeline)]
    if len(steps) < 2:
        return steps[0] if steps else None
    return min(steps, key=_turn)

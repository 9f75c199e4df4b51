"""A case and what happens to it: the values that rules, store and events share.

The level at an instant is not kept: it follows from ``course`` (``dealreg_shared.ladder``). Free text
stands in the case's history, beside it, and never here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from dealreg_registration.domain.ladder_terms import LadderTerms
from dealreg_shared.ladder import Course, Deadline, level_at

CaseKind = Literal["overlap", "possible_duplicate", "direct_engagement", "contradiction", "appeal"]
CaseState = Literal["open", "reviewed", "decided", "withdrawn"]
RulingKind = Literal[
    "uphold_first",
    "award",
    "split",
    "co_sell",
    "release_all",
    "correct_record",
    "same_account",
    "not_same_account",
]
Effect = Literal["holds", "co_holds", "ended", "unchanged"]

PENDING_STATES: frozenset[CaseState] = frozenset({"open", "reviewed"})


@dataclass(frozen=True, slots=True)
class Asked:
    """One party was asked something; ``entry_id`` is the question's place in the history."""

    entry_id: str
    registration_id: str
    partner_id: str
    asked_at: datetime
    due_at: datetime
    pauses: bool
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Last:
    """The latest step of a case, to tell somebody who was slower. ``by`` is an actor's id."""

    what: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Case:
    """A conflict that a person must settle; ``claim_ids`` in the order in which they joined.

    ``terms`` are those of the plan in force at the opening. ``appeal_of`` is the case whose ruling is
    appealed, ``barred`` who may not rule on this one, ``claimed`` the contradicting result,
    ``other_account_id`` the account that may be the same one, in a possible duplicate, with its name
    then and ``matched_by``, the keys that named the one and the other.
    """

    id: str
    kind: CaseKind
    state: CaseState
    opened_at: datetime
    course: Course
    terms: LadderTerms
    market_region: str | None
    market_segment: str | None
    plan_number: int
    claim_ids: tuple[str, ...]
    other_account_id: str | None = None
    other_account_name: str | None = None
    matched_by: tuple[str, ...] = ()
    closed_level: int | None = None
    version: int = 1
    appeal_of: str | None = None
    barred: tuple[str, ...] = ()
    claimed: Literal["won", "lost"] | None = None
    asked: tuple[Asked, ...] = ()
    last: Last | None = None
    ruled_level: int | None = None
    ruled_by: str | None = None

    @property
    def pending(self) -> bool:
        """Whether it waits for a ruling."""
        return self.state in PENDING_STATES

    @property
    def closed_at(self) -> datetime | None:
        return self.course.closed_at

    @property
    def generation(self) -> int:
        """That of the latest stamp; timers of older ones are void."""
        return self.course.stamps[-1].generation

    @property
    def deadlines(self) -> tuple[Deadline, ...]:
        return self.course.stamps[-1].deadlines

    def closed(self, state: CaseState, at: datetime, by: str, what: str) -> "Case":
        return replace(
            self,
            state=state,
            course=replace(self.course, closed_at=at),
            closed_level=level_at(self.course, at),
            version=self.version + 1,
            last=Last(what, by, at),
        )


@dataclass(frozen=True, slots=True)
class CaseMoved:
    """A case was opened, joined by ``joined``, or closed."""

    case: Case
    step: Literal["opened", "joined", "closed"]
    at: datetime
    joined: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """What a ruling means for one claim, and the words for its partner. They name no rival."""

    claim_id: str
    effect: Effect
    sentence: str
    appeal_until: datetime | None = None
    """Until when its partner may appeal; None: it may not."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A ruling as it was carried out. ``breached``: the time of the level that ruled had run out."""

    kind: RulingKind
    level: int
    by: str | None
    breached: bool
    parts: tuple[Part, ...]
    departs: tuple[str, ...] = ()

    def claims(self, effect: Effect) -> tuple[str, ...]:
        return tuple(part.claim_id for part in self.parts if part.effect == effect)


@dataclass(frozen=True, slots=True)
class CaseActed:
    """A person acted on a case, or a question's time ran out. ``by`` is a person's id or a partner's.

    ``detail`` holds ids and facts; ``question`` is for the partner asked, and goes no further.
    """

    case: Case
    step: Literal["taken", "reviewed", "asked", "paused", "resumed", "commented", "decided"]
    at: datetime
    by: str | None = None
    level: int | None = None
    entry_id: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    question: str | None = None
    verdict: Verdict | None = None

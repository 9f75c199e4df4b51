"""Events that registration emits about cases: opened, joined, acted on, settled.

Topic ``dealreg.registration``, key = account id. Whatever touches the ladder's clock is one event with
``generation`` and all ``deadlines``: timers of an older generation are void, so that no reader needs a
calendar. Persons are named by id only, and free text does not travel, except the question to a partner.
Sentences in ``parties`` are fit for the partner they are for, and name no rival.
"""

from typing import Annotated, Literal

from pydantic import Field

from dealreg_shared.contracts.base import Contract, EventData, Instant, Market
from dealreg_shared.contracts.registration import ClaimState

ConflictKind = Literal[
    "overlap", "possible_duplicate", "direct_engagement", "contradiction", "appeal"
]

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

Level = Annotated[int, Field(ge=1, le=4, description="4 is the reviewer of the CEO's rulings")]


class Deadline(Contract):
    """One rung of the ladder, as stamped. The last level has no deadline."""

    level: Level
    role: Literal["partner_manager", "vp", "ceo", "reviewer"]
    person_id: str | None
    due_at: Instant | None
    remind_at: Annotated[
        tuple[Instant, ...], Field(description="When its person is reminded before, rising")
    ] = ()


class ConflictClaim(Contract):
    claim_id: str
    registration_id: str
    partner_id: str
    product_line: str
    place: int
    state: ClaimState


class ConflictFact(EventData):
    """What every event about an open case names."""

    conflict_id: str
    account_id: str


class ConflictOpened(EventData):
    """A case was opened. ``claims`` are in true order; in an overlap the first holds the line."""

    conflict_id: str
    kind: ConflictKind
    account_id: str
    account_name: str
    market: Market
    plan_number: int
    opened_at: Instant
    generation: Annotated[int, Field(ge=1)]
    deadlines: tuple[Deadline, ...]
    claims: tuple[ConflictClaim, ...]
    repeat_hours: Annotated[
        int | None, Field(description="The last level is reminded again after so many hours")
    ] = None
    appeal_of: Annotated[
        str | None, Field(description="The case whose ruling is appealed; null: an automatic one")
    ] = None
    other_account_id: Annotated[
        str | None, Field(description="In a possible duplicate, the account that may be the same")
    ] = None
    other_account_name: Annotated[str | None, Field(description="Its name; for staff")] = None
    matched_by: Annotated[
        tuple[str, ...],
        Field(description="In a possible duplicate, the keys that named the one and the other"),
    ] = ()


class ConflictJoined(ConflictFact):
    """Further claims are part of the case, such as met the same registration. No clock restarts."""

    claims: tuple[ConflictClaim, ...]
    joined_at: Instant


class Restamped(ConflictFact):
    """A change that touches the clock: these deadlines count from now on, older timers are void."""

    generation: Annotated[int, Field(ge=1)]
    deadlines: tuple[Deadline, ...]


class ConflictTaken(Restamped):
    """A person took the case on a level; lower levels may comment, and no longer decide."""

    level: Level
    by: Annotated[str | None, Field(description="Person id; null: a key without a person")]
    taken_at: Instant


class ConflictReviewed(Restamped):
    """A person passed the case up, with a recommendation. ``level`` is the one that must act now."""

    level: Level
    by: str | None
    recommendation: RulingKind
    recommended: Annotated[
        tuple[str, ...], Field(description="Ids of the claims that the recommendation is for")
    ] = ()
    reviewed_at: Instant


class ConflictAsked(ConflictFact):
    """One party is asked for information. The question is for that partner; it names no rival."""

    registration_id: str
    partner_id: str
    account_name: Annotated[str, Field(description="The company's name as this partner filed it")]
    question: str
    asked_at: Instant
    due_at: Instant
    pauses: Annotated[bool, Field(description="Whether the clock stands meanwhile")]


class ConflictPaused(Restamped):
    """The clock stands until ``until`` at the latest; the deadlines hold if nobody answers before."""

    registration_id: str
    partner_id: str
    paused_at: Instant
    until: Instant


class ConflictResumed(Restamped):
    """The clock runs again: the party answered, or its time is over (then no deadline changed)."""

    how: Literal["answered", "lapsed"]
    resumed_at: Instant


class ConflictCommented(ConflictFact):
    """A text was added to the case's history. It can be read there; it does not travel."""

    entry_id: str
    kind: Literal["comment", "answer"]
    by: Annotated[str | None, Field(description="Person id, or the partner's id for an answer")]
    at: Instant


class RulingParty(Contract):
    """What a ruling means for one claim, and the words in which its partner is told."""

    claim_id: str
    registration_id: str
    partner_id: str
    product_line: str
    effect: Literal["holds", "co_holds", "ended", "unchanged"]
    state: ClaimState
    sentence: str
    appeal_until: Annotated[
        Instant | None,
        Field(description="Until when the partner may appeal what became of it; null: it may not"),
    ] = None
    appeals: Annotated[
        bool, Field(description="Whether this is the claim whose appeal was decided")
    ] = False


class ConflictDecided(ConflictFact):
    """A person ruled. The claims' own events stand before it; ``conflict.closed`` follows it."""

    kind: ConflictKind
    account_name: str
    market: Market
    ruling: RulingKind
    level: Annotated[Level, Field(description="The level that ruled")]
    by: str | None
    decided_at: Instant
    breached: Annotated[bool, Field(description="Whether the level's time had run out")]
    winners: Annotated[tuple[str, ...], Field(description="Claims that hold a line by the ruling")]
    co_holders: Annotated[tuple[str, ...], Field(description="Claims that share a line")] = ()
    departs: Annotated[
        tuple[str, ...], Field(description="Ids of the precedents that this ruling departs from")
    ] = ()
    parties: tuple[RulingParty, ...] = ()


class ConflictClosed(EventData):
    """The case ended; its timers are void."""

    conflict_id: str
    account_id: str
    kind: ConflictKind
    state: Literal["withdrawn", "decided"]
    closed_at: Instant
    level: Annotated[Level, Field(description="Level at the instant of closing")]

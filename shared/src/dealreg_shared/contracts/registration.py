"""Events that registration emits about registrations, claims and conflicts.

Topic ``dealreg.registration``, key = account id: all that happens on one account is in one order.
Claims are referred to by id; a person is never named. Sentences in ``reasons`` are fit for the partner
that filed and name no rival.
"""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from dealreg_shared.contracts.base import Contract, DecimalString, EventData, Instant, Market, Money

ClaimState = Literal[
    "rejected",
    "duplicate",
    "open",
    "referred",
    "protected",
    "extended",
    "contested",
    "expired",
    "withdrawn",
    "superseded",
    "lost",
    "won",
    "closed",
    "revoked",
    "transferred",
]

ConflictKind = Literal[
    "overlap", "possible_duplicate", "direct_engagement", "contradiction", "appeal"
]


class ReferralTarget(Contract):
    """Who a claim is referred to. ``id`` is a partner id, or a person id for direct and manager."""

    kind: Literal["partner", "direct", "manager"]
    id: str | None


class Owner(Contract):
    """Who owns the account. ``partner_id`` and ``direct_id`` are both set under co-sell."""

    kind: Literal["partner", "direct", "co_sell", "none"]
    partner_id: str | None = None
    direct_id: str | None = None


class ClaimDecided(Contract):
    """What became of one claim when it was decided."""

    claim_id: str
    product_line: str
    place: Annotated[int, Field(ge=1)]
    outcome: ClaimState
    codes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    protected_from: Instant | None = None
    protected_until: Instant | None = None
    territory_id: str | None = None
    referred_to: ReferralTarget | None = None
    duplicate_of: str | None = None
    conflict_id: str | None = None


class RegistrationFact(EventData):
    """What every event about a registration repeats, so that no reader has to look it up."""

    registration_id: str
    partner_id: str
    account_id: str
    account_name: Annotated[str, Field(description="The company's name as this partner filed it")]
    market: Market
    plan_number: int


class RegistrationFiled(RegistrationFact):
    """A registration was stored and decided, or lines were added to it and decided."""

    filed_by: Literal["partner", "staff"]
    country: str | None
    subdivision: str | None
    deal_type: Literal["new", "expansion", "renewal"]
    amount: Money
    amount_base: Annotated[DecimalString, Field(description="In the programme's currency")]
    close_date: date
    owner: Owner
    claims: tuple[ClaimDecided, ...]


class RegistrationAmended(RegistrationFact):
    """Amount, close date or facts were edited. Claims lists those that were decided again."""

    amount: Money
    amount_base: DecimalString
    close_date: date
    changed: tuple[str, ...]
    owner: Owner
    claims: tuple[ClaimDecided, ...] = ()


class ClaimChange(Contract):
    """One claim's step from one state to another."""

    claim_id: str
    product_line: str
    place: int
    from_state: ClaimState
    to_state: ClaimState


class Credit(Contract):
    """Who is credited with a win."""

    sold_by: str
    owner: Owner
    referred_by: str | None
    territory_id: str | None
    goal: Money | None


class RegistrationEnded(RegistrationFact):
    """A registration was won, lost, withdrawn or revoked.

    ``claims`` lists the claims whose state changed; a result on a claim that had already ended is
    recorded without changing its state, and then ``claims`` does not name it.
    """

    at: Instant
    amount_base: DecimalString
    protected: Annotated[
        bool, Field(description="Whether one of its claims was protected until now")
    ]
    filed_at: Instant
    reason: Annotated[
        str | None, Field(description="In the words of who ended it; must name no person")
    ] = None
    claims: tuple[ClaimChange, ...]
    credit: Credit | None = None


class ClaimChanged(RegistrationFact):
    """Time, or what became of another claim, moved this one."""

    claim: ClaimChange
    at: Instant
    cause: Literal[
        "term_over",
        "former_ended",
        "line_won",
        "standby_off",
        "filed_again",
        "partner_suspended",
        "ruling",
    ]
    reasons: tuple[str, ...] = ()
    protected_from: Instant | None = None
    protected_until: Instant | None = None


class Deadline(Contract):
    """One rung of the ladder, stamped when the conflict opens. The last level has no deadline."""

    level: Annotated[int, Field(ge=1, le=3)]
    role: Literal["partner_manager", "vp", "ceo"]
    person_id: str | None
    due_at: Instant | None


class ConflictClaim(Contract):
    claim_id: str
    registration_id: str
    partner_id: str
    product_line: str
    place: int
    state: ClaimState


class ConflictOpened(EventData):
    """A case was opened. ``claims`` are in true order; the first holds the line."""

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


class ConflictJoined(EventData):
    """One more claim met the same holding registration. The clocks do not restart."""

    conflict_id: str
    account_id: str
    claims: tuple[ConflictClaim, ...]
    joined_at: Instant


class ConflictClosed(EventData):
    """The case ended; its timers are void."""

    conflict_id: str
    account_id: str
    kind: ConflictKind
    state: Literal["withdrawn", "decided"]
    closed_at: Instant
    level: Annotated[int, Field(ge=1, le=3, description="Level at the instant of closing")]

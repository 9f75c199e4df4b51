"""Events that registration emits about registrations and claims; ``conflict.py`` has those about cases.

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
        "idle",
        "offer_accepted",
        "information_lapsed",
        "extension_granted",
        "transferred",
        "merged",
    ]
    reasons: tuple[str, ...] = ()
    protected_from: Instant | None = None
    protected_until: Instant | None = None


class ClaimNoted(RegistrationFact):
    """Something is under way on a claim; its state stays as it is."""

    claim_id: str
    product_line: str
    state: ClaimState
    at: Instant
    until: Annotated[
        Instant | None,
        Field(description="By when the partner must act, or when the protection ends"),
    ] = None
    text: Annotated[
        str | None, Field(description="In the words of who wrote it; must name no person")
    ] = None
    manager_id: Annotated[
        str | None, Field(description="Who looks after the market: a person's id")
    ] = None


class RegistrationCorrected(RegistrationFact):
    """A ruling corrected a deal's recorded result: the earlier won or lost event no longer counts.

    ``to_result`` null: there is no result any more. ``claims`` lists those whose state changed with it.
    """

    at: Instant
    amount_base: DecimalString
    filed_at: Instant
    conflict_id: str
    from_result: Literal["won", "lost"]
    from_result_at: Instant
    to_result: Literal["won", "lost"] | None
    protected: Annotated[
        bool, Field(description="Whether one of its claims was protected at the earlier result")
    ]
    claims: tuple[ClaimChange, ...] = ()
    credit: Credit | None = None


class AccountMerged(EventData):
    """Two accounts are one: sent once under each key, as the last event of the merged one.

    From here on what belonged to ``merged_account_id`` is told under ``account_id``. Nothing was
    renumbered or revoked.
    """

    account_id: str
    merged_account_id: str
    merged_at: Instant
    merged_version: Annotated[
        int | None,
        Field(
            description="Version of the last event under the merged account's key: this one's there"
        ),
    ] = None

"""An account in memory: its claims, registrations and cases, and the journal of what happens to them.

The account writer loads one, lets ``settle``, ``decide`` and the commands work on it, and stores what
the journal holds. Claims are immutable; a step makes a new one. Nothing here reads a clock.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal

from dealreg_registration.domain.case import Case, CaseActed, CaseMoved
from dealreg_registration.domain.causes import Cause
from dealreg_registration.domain.entries import AccountEdited, AccountMerged, Decided
from dealreg_registration.domain.facts import Facts, Location, Source
from dealreg_registration.domain.flags import NO_FLAGS, Flags
from dealreg_registration.domain.referral import Referral, ReferralMoved
from dealreg_registration.domain.transfer import Transfer, TransferMoved

State = Literal[
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
DealType = Literal["new", "expansion", "renewal"]

_EARLIEST = datetime.min.replace(tzinfo=UTC)
HOLDING: frozenset[State] = frozenset({"protected", "extended"})
LIVE: frozenset[State] = HOLDING | {"contested"}
PENDING: frozenset[State] = frozenset({"open", "referred"})
ACTIVE: frozenset[State] = LIVE | PENDING


@dataclass(frozen=True, slots=True)
class Claim:
    """One registration x one product line (rules.md, section 1)."""

    id: str
    registration_id: str
    partner_id: str
    product_line: str
    place: int
    state: State
    decided_at: datetime
    plan_number: int
    protected_from: datetime | None = None
    protected_until: datetime | None = None
    territory_id: str | None = None
    assignment_id: str | None = None
    referred_kind: Literal["partner", "direct", "manager"] | None = None
    referred_id: str | None = None
    duplicate_of: str | None = None
    case_id: str | None = None
    appeal_id: str | None = None
    co_holds: str | None = None
    """The claim whose protection this one shares, by a co-sell ruling, while that one holds."""
    numbered_by: str | None = None
    """The account that gave it its place, if that is another one, merged since."""
    taken_at: datetime | None = None
    """When it took its place; known once its account was merged with another."""
    codes: tuple[str, ...] = ()
    ended_at: datetime | None = None
    flags: Flags = NO_FLAGS

    @property
    def turn(self) -> tuple[datetime, int, str]:
        """The true order of an account's claims: by place, across numberings by when it was taken."""
        return self.taken_at or _EARLIEST, self.place, self.id

    @property
    def holds(self) -> bool:
        return self.state in HOLDING

    @property
    def live(self) -> bool:
        return self.state in LIVE

    @property
    def offered(self) -> bool:
        """On standby, and offered the line after a loss."""
        return self.state == "contested" and self.flags.offered_until is not None


@dataclass(frozen=True, slots=True)
class Registration:
    """What of a registration bears on decisions. ``amount_base`` is in the programme's currency."""

    id: str
    partner_id: str
    account_name: str
    filed_at: datetime
    amount: Decimal
    currency: str
    amount_base: Decimal
    close_date: date
    deal_type: DealType
    place_of_use: Location
    tags: frozenset[str]
    reseller_id: str | None
    distributor_id: str | None
    market_region: str | None
    market_segment: str | None
    last_activity_at: datetime
    version: int = 1
    result: Literal["won", "lost"] | None = None
    result_at: datetime | None = None
    referred_by: str | None = None
    """The partner whose referral this registration came from."""


@dataclass(frozen=True, slots=True)
class ClaimMoved:
    """A claim took a step. ``before`` is None when it was just filed.

    ``reasons`` say why its state is what it is; ``note`` is what the person wrote who made it step.
    """

    before: Claim | None
    after: Claim
    cause: Cause
    at: datetime
    reasons: tuple[str, ...] = ()
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """Who owns the account: gets its leads and referrals. Under co-sell both ids are set."""

    kind: Literal["partner", "direct", "co_sell", "none"]
    partner_id: str | None = None
    direct_id: str | None = None

    def seen_by(self, partner_id: str) -> str:
        """What a partner may know of the owner: you, other, direct or none."""
        if self.partner_id == partner_id:
            return "you"
        return {"partner": "other", "direct": "direct", "co_sell": "direct", "none": "none"}[
            self.kind
        ]


@dataclass(frozen=True, slots=True)
class Acted:
    """Someone acted on a registration; the claim steps that follow in the journal are its effect."""

    registration_id: str
    act: Literal[
        "filed",
        "line_added",
        "amended",
        "won",
        "lost",
        "withdrawn",
        "revoked",
        "objected",
        "received",
    ]
    at: datetime
    owner: Owner
    changed: tuple[str, ...] = ()
    held: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Corrected:
    """A ruling put another result on record. ``held``: it was protected when the former was recorded."""

    registration_id: str
    at: datetime
    owner: Owner
    case_id: str
    former: Literal["won", "lost"]
    former_at: datetime
    result: Literal["won", "lost"]
    held: bool


Entry = (
    AccountMerged
    | Acted
    | Corrected
    | AccountEdited
    | ClaimMoved
    | CaseMoved
    | CaseActed
    | ReferralMoved
    | TransferMoved
    | Decided
)


@dataclass(slots=True)
class Account:
    """One account's state: active claims, and those that ended in this unit of work.

    ``version`` counts the changes of its own record: facts, keys, parent.
    """

    id: str
    name: str
    facts: Facts
    sources: dict[str, Source]
    keys: frozenset[str]
    parent_id: str | None = None
    parent_keys: frozenset[str] = frozenset()
    last_place: int = 0
    version: int = 1
    merged_into: str | None = None
    absorbs: bool = False
    """Whether another account was merged into it."""
    claims: dict[str, Claim] = field(default_factory=dict)
    registrations: dict[str, Registration] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)
    incumbents: dict[str, str] = field(default_factory=dict)
    """Product line -> the partner of the last won deal on it; loaded where renewals are decided."""
    referrals: dict[str, Referral] = field(default_factory=dict)
    transfers: dict[str, Transfer] = field(default_factory=dict)
    journal: list[Entry] = field(default_factory=list)

    def next_place(self) -> int:
        """The next place in the account's gapless sequence."""
        self.last_place += 1
        return self.last_place

    def active(self) -> list[Claim]:
        """Active claims in true order."""
        return sorted(
            (claim for claim in self.claims.values() if claim.state in ACTIVE),
            key=lambda claim: claim.turn,
        )

    def holder(self, product_line: str) -> Claim | None:
        """The claim that holds a line now; call ``settle`` first."""
        return next(
            (
                claim
                for claim in self.claims.values()
                if claim.product_line == product_line and claim.holds
            ),
            None,
        )

    def taken_by(self, product_line: str) -> Claim | None:
        """The claim that takes a line: its holder, or who is offered it; call ``settle`` first."""
        return self.holder(product_line) or next(
            (claim for claim in self.standby(product_line) if claim.offered), None
        )

    def standby(self, product_line: str) -> list[Claim]:
        """The line's contested claims in order of place."""
        return sorted(
            (
                claim
                for claim in self.claims.values()
                if claim.product_line == product_line and claim.state == "contested"
            ),
            key=lambda claim: claim.turn,
        )

    def of_registration(self, registration_id: str) -> list[Claim]:
        return sorted(
            (c for c in self.claims.values() if c.registration_id == registration_id),
            key=lambda claim: claim.turn,
        )

    def add(self, claim: Claim, cause: Cause, at: datetime, reasons: tuple[str, ...] = ()) -> None:
        """File a new claim."""
        if self.absorbs and claim.taken_at is None:
            last = max((c.taken_at for c in self.claims.values() if c.taken_at), default=at)
            claim = replace(claim, taken_at=max(at, last), numbered_by=None)
        self.claims[claim.id] = claim
        self.journal.append(ClaimMoved(None, claim, cause, at, reasons))

    def move(
        self,
        claim: Claim,
        cause: Cause,
        at: datetime,
        reasons: tuple[str, ...] = (),
        note: str | None = None,
        **changes: Any,
    ) -> Claim:
        """Take a claim one step; ``changes`` are of its fields. Returns the claim after it.

        A claim that ends has no flags any more, and one that leaves standby no offer.
        """
        after = replace(claim, **changes)
        if after.state not in ACTIVE:
            after = replace(after, ended_at=after.ended_at or at, flags=NO_FLAGS)
        elif claim.state == "contested" != after.state and after.flags != NO_FLAGS:
            flags = replace(
                after.flags, offered_for=None, offered_until=None, passed=None, object_until=None
            )
            after = replace(after, flags=flags)
        self.claims[claim.id] = after
        self.journal.append(ClaimMoved(claim, after, cause, at, reasons, note))
        if (after.state, after.referred_id) != (claim.state, claim.referred_id):
            self._end_referral(claim, at)
        if claim.holds and not after.holds:
            self._end_transfer(claim, at)
        return after

    def mark_appealed(self, claim: Claim, case_id: str, at: datetime) -> Claim:
        """Note the appeal of a claim; its state stays."""
        after = replace(claim, appeal_id=case_id)
        self.claims[claim.id] = after
        self.journal.append(ClaimMoved(claim, after, "appealed", at))
        return after

    def _end_transfer(self, claim: Claim, at: datetime) -> None:
        """A transfer is of protections that run; its other lines are free of it too."""
        for transfer in list(self.transfers.values()):
            if claim.id in transfer.claim_ids and transfer.pending:
                self.close_transfer(transfer, "ended", at)

    def close_transfer(
        self,
        transfer: Transfer,
        state: Literal["done", "declined", "lapsed", "ended"],
        at: datetime,
        **further: Any,
    ) -> Transfer:
        """End a pending transfer; its claims are free of it."""
        closed = replace(transfer, state=state, decided_at=at, **further)
        self.transfers[closed.id] = closed
        self.journal.append(TransferMoved(closed, "closed", at))
        for claim_id in closed.claim_ids:
            if (claim := self.claims[claim_id]).holds:
                flags = replace(claim.flags, transfer_until=None)
                self.move(claim, "transfer_ended", at, flags=flags)
        return closed

    def _end_referral(self, claim: Claim, at: datetime) -> None:
        """An offer stands only while its claim is referred to its target, whatever moved the claim."""
        for referral in list(self.referrals.values()):
            if referral.claim_id == claim.id and referral.pending:
                ended = replace(referral, state="ended", decided_at=at)
                self.referrals[ended.id] = ended
                self.journal.append(ReferralMoved((ended,), "ended", at))

    def moves(self) -> Iterator[ClaimMoved]:
        return (entry for entry in self.journal if isinstance(entry, ClaimMoved))

"""A referral: one out-of-territory claim, offered to one who covers the account.

The values that rules, store and events share; what is done with them is in ``domain.referring``. Each
offer to another target is a record of its own.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal

ReferralState = Literal["offered", "accepted", "declined", "lapsed", "ended"]

UNTAKEN: frozenset[ReferralState] = frozenset({"declined", "lapsed"})


@dataclass(frozen=True, slots=True)
class Referral:
    """``claim_id``, ``registration_id`` and ``referrer_id`` are the referring partner's.

    ``target_id`` is a partner, or direct's owner. ``taken_*`` is what the target got on accepting.
    """

    id: str
    claim_id: str
    registration_id: str
    referrer_id: str
    product_line: str
    target_kind: Literal["partner", "direct"]
    target_id: str
    state: ReferralState
    plan_number: int
    offered_at: datetime
    due_at: datetime
    consent_at: datetime | None = None
    decided_at: datetime | None = None
    taken_registration_id: str | None = None
    taken_claim_id: str | None = None

    @property
    def pending(self) -> bool:
        """Whether the target may still answer; call ``settle`` first."""
        return self.state == "offered"


@dataclass(frozen=True, slots=True)
class ReferralMoved:
    """Referrals of one registration to one target took a step together."""

    referrals: tuple[Referral, ...]
    step: Literal["offered", "consented", "accepted", "declined", "lapsed", "ended"]
    at: datetime


def derived_id(prefix: str, *parts: str) -> str:
    """An id for what time alone brings about: whoever computes it, and how often, it is the same."""
    return f"{prefix}_{sha256('/'.join(parts).encode()).hexdigest()[:32]}"

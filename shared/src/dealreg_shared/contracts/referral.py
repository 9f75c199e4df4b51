"""Events that registration emits about referrals: a claim handed to whoever covers the account.

Topic ``dealreg.registration``, key = account id. The account's name and the product lines may reach the
target; who referred, and everything else, only after the referrer has consented.
"""

from typing import Annotated

from pydantic import Field

from dealreg_shared.contracts.base import Contract, Instant
from dealreg_shared.contracts.registration import ClaimDecided, ReferralTarget, RegistrationFact


class ReferralLine(Contract):
    """One claim that is referred; each has a referral of its own."""

    referral_id: str
    claim_id: str
    product_line: str


class ReferralFact(RegistrationFact):
    """What every event about referrals repeats. ``registration_id`` and ``partner_id`` are the
    referrer's."""

    target: ReferralTarget
    lines: tuple[ReferralLine, ...]


class ReferralOffered(ReferralFact):
    """Claims were offered to a target, to be answered before ``due_at``."""

    offered_at: Instant
    due_at: Instant


class ReferralAccepted(ReferralFact):
    """The target took it. A partner has a registration of its own from that instant."""

    accepted_at: Instant
    taken_registration_id: Annotated[
        str | None, Field(description="The target's own registration; null: direct took it")
    ]
    consented: Annotated[
        bool, Field(description="Whether the referrer has let its details pass already")
    ] = False


class ReferralReturned(ReferralFact):
    """The target declined, or let the time pass. ``claims`` says what became of the referrer's claim:
    referred to the next target, or decided anew."""

    returned_at: Instant
    claims: tuple[ClaimDecided, ...]


class ReferralConsented(ReferralFact):
    """The referrer lets its details pass to this target."""

    consented_at: Instant


class ReferralEnded(ReferralFact):
    """The referring claim is no longer referred, so there is nothing left to answer."""

    ended_at: Instant

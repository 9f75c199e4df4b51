"""From the journal's steps that leave a claim's state as it is to the events that tell others."""

from collections.abc import Callable
from datetime import datetime

from dealreg_registration.domain.account import Account, Claim, ClaimMoved
from dealreg_registration.domain.causes import Cause
from dealreg_registration.domain.plan import Plan
from dealreg_shared.contracts.base import Market
from dealreg_shared.contracts.registration import ClaimNoted

NOTED: dict[Cause, tuple[str, Callable[[Claim], datetime | None]]] = {
    "offered": ("dealreg.claim.offered.v1", lambda claim: claim.flags.offered_until),
    "offer_declined": ("dealreg.claim.offer-declined.v1", lambda _: None),
    "offer_lapsed": ("dealreg.claim.offer-lapsed.v1", lambda _: None),
    "information_wanted": (
        "dealreg.claim.information-wanted.v1",
        lambda claim: claim.flags.information_due,
    ),
    "information_given": ("dealreg.claim.information-given.v1", lambda _: None),
    "extension_asked": ("dealreg.claim.extension-asked.v1", lambda claim: claim.protected_until),
    "extension_refused": (
        "dealreg.claim.extension-refused.v1",
        lambda claim: claim.protected_until,
    ),
    "expiring": ("dealreg.claim.expiring.v1", lambda claim: claim.protected_until),
    "idle_warned": ("dealreg.claim.idle.v1", lambda claim: claim.flags.idle_release_at),
}
"""The event of each, and until when something is to be done."""


def claim_noted(account: Account, move: ClaimMoved, plan: Plan) -> tuple[str, str, ClaimNoted]:
    """Type, subject and data of the event of a step in ``NOTED``."""
    claim = move.after
    registration = account.registrations[claim.registration_id]
    region, segment = registration.market_region, registration.market_segment
    event_type, until = NOTED[move.cause]
    return (
        event_type,
        claim.id,
        ClaimNoted(
            registration_id=registration.id,
            partner_id=registration.partner_id,
            account_id=account.id,
            account_name=registration.account_name,
            market=Market(region=region, segment=segment),
            plan_number=claim.plan_number,
            claim_id=claim.id,
            product_line=claim.product_line,
            state=claim.state,
            at=move.at,
            until=until(claim),
            text=move.note,
            manager_id=plan.ladder.manager(region, segment),
        ),
    )

"""Offering referred claims to their targets. For the answers see ``domain.referral_answers``."""

from collections.abc import Iterable
from datetime import datetime

from dealreg_registration.domain.account import Account, Claim
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.referral import (
    UNTAKEN,
    Referral,
    ReferralMoved,
    derived_id,
)


def asked(account: Account, claim: Claim) -> frozenset[str]:
    """Whom the claim was offered to and who did not take it."""
    return frozenset(
        referral.target_id
        for referral in account.referrals.values()
        if referral.claim_id == claim.id and referral.state in UNTAKEN
    )


def offer(account: Account, claims: Iterable[Claim], context: Context) -> None:
    """Offer referred claims of one registration, each target's together, from now on."""
    at = context.now
    by_target: dict[tuple[str, str], list[Referral]] = {}
    for claim in claims:
        if claim.state != "referred" or claim.referred_id is None:
            continue
        if claim.referred_kind not in ("partner", "direct"):
            continue
        referral = Referral(
            id=derived_id("ref", claim.id, claim.referred_id, at.isoformat()),
            claim_id=claim.id,
            registration_id=claim.registration_id,
            referrer_id=claim.partner_id,
            product_line=claim.product_line,
            target_kind=claim.referred_kind,
            target_id=claim.referred_id,
            state="offered",
            plan_number=context.plan.number,
            offered_at=at,
            due_at=_due(context, at),
        )
        account.referrals[referral.id] = referral
        by_target.setdefault((claim.referred_kind, claim.referred_id), []).append(referral)
    for referrals in by_target.values():
        account.journal.append(ReferralMoved(tuple(referrals), "offered", at))


def _due(context: Context, at: datetime) -> datetime:
    plan = context.plan
    return plan.business_days.add_business_days(at, plan.policy.referral_days)

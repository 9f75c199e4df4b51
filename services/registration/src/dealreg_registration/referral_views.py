"""What each side sees of a referral; the target the account and line alone, until consent is given."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dealreg_registration.commands import Actor
from dealreg_registration.domain.account import Account, Registration
from dealreg_registration.domain.plan import Plan
from dealreg_registration.domain.referral import Referral
from dealreg_shared.contracts.base import format_instant


def _instant(value: datetime | None) -> str | None:
    return None if value is None else format_instant(value)


def referral_view(
    referral: Referral,
    source: Registration,
    country: str | None,
    plan: Plan,
    actor: Actor,
    *,
    contacts: Sequence[Mapping[str, Any]] = (),
    evidence: Sequence[str] = (),
) -> dict[str, Any]:
    """``source`` is the referring registration; its details, ``contacts`` and ``evidence`` are shown
    to a target only after consent."""
    view: dict[str, Any] = {
        "id": referral.id,
        "state": referral.state,
        "account": {"name": source.account_name, "country": country},
        "product_line": referral.product_line,
        "offered_at": _instant(referral.offered_at),
        "due_at": _instant(referral.due_at),
        "consent_at": _instant(referral.consent_at),
        "decided_at": _instant(referral.decided_at),
    }
    target = {"kind": referral.target_kind, "id": referral.target_id}
    if actor.staff:
        return view | {
            "registration_id": referral.registration_id,
            "claim_id": referral.claim_id,
            "referrer_id": referral.referrer_id,
            "target": target,
            "taken_registration_id": referral.taken_registration_id,
            "taken_claim_id": referral.taken_claim_id,
            "plan_number": referral.plan_number,
        }
    if referral.referrer_id == actor.partner_id:
        named = referral.target_kind == "partner" and plan.policy.referral_names_target
        return view | {
            "you_are": "referrer",
            "registration_id": referral.registration_id,
            "target": target if named else {"kind": referral.target_kind},
        }
    view |= {"you_are": "target", "registration_id": referral.taken_registration_id}
    if referral.consent_at is not None:
        view["details"] = {
            "referrer_id": referral.referrer_id,
            "amount": {"amount": format(source.amount, "f"), "currency": source.currency},
            "close_date": source.close_date.isoformat(),
            "deal_type": source.deal_type,
            "tags": sorted(source.tags),
            "contacts": [dict(contact) for contact in contacts],
            "evidence": list(evidence),
        }
    return view


def answered_view(account: Account, referral: Referral) -> dict[str, Any]:
    """A referral as it was just answered, in short."""
    source = account.registrations[referral.registration_id]
    return {
        "id": referral.id,
        "state": referral.state,
        "account": {"name": source.account_name, "country": account.facts.country},
        "product_line": referral.product_line,
        "decided_at": _instant(referral.decided_at),
        "registration_id": referral.taken_registration_id,
    }

"""The audit rows of what happened to an account: one for each act, claim step and case step.

Written in the deciding transaction. Ids only, no person's data; a partner's timeline is drawn from the
rows about its own claims.
"""

from collections.abc import Sequence
from typing import Any

from dealreg_registration.commands import Actor
from dealreg_registration.domain.account import (
    AccountEdited,
    Acted,
    ClaimMoved,
    Corrected,
    Decided,
    Entry,
)
from dealreg_registration.domain.case import CaseActed, CaseMoved
from dealreg_registration.domain.referral import ReferralMoved

_BESIDE_STATE = {
    "appealed": "appealed",
    "offered": "offered",
    "offer_declined": "offer_declined",
    "offer_lapsed": "offer_lapsed",
    "information_wanted": "information_wanted",
    "information_given": "information_given",
    "extension_asked": "extension_asked",
    "extension_refused": "extension_refused",
    "expiring": "expiring",
    "idle_warned": "idle",
    "active_again": "active",
}
"""Causes of steps that leave the state as it is -> what happened."""


def audit_rows(entries: Sequence[Entry], actor: Actor) -> list[dict[str, Any]]:
    """One row for each entry, in order; referrals that move together have one each."""
    rows = []
    for entry in entries:
        if isinstance(entry, ReferralMoved):
            described = _describe_referrals(entry)
        elif isinstance(entry, Decided):
            continue
        else:
            described = [_describe(entry)]
        rows += [{"at": entry.at, "actor": actor.id, **row} for row in described]
    return rows


def _describe_referrals(entry: ReferralMoved) -> list[dict[str, Any]]:
    return [
        {
            "action": f"referral.{entry.step}",
            "subject": referral.id,
            "detail": {
                "claim": referral.claim_id,
                "to": referral.target_id,
                "taken": referral.taken_claim_id,
            },
        }
        for referral in entry.referrals
    ]


def _describe(
    entry: Acted | Corrected | AccountEdited | ClaimMoved | CaseMoved | CaseActed,
) -> dict[str, Any]:
    if isinstance(entry, Acted):
        return {
            "action": f"registration.{entry.act}",
            "subject": entry.registration_id,
            "detail": {"changed": list(entry.changed), "reason": entry.reason},
        }
    if isinstance(entry, Corrected):
        return {
            "action": "registration.corrected",
            "subject": entry.registration_id,
            "detail": {"from": entry.former, "to": entry.result, "conflict": entry.case_id},
        }
    if isinstance(entry, AccountEdited):
        return {
            "action": "account.edited",
            "subject": entry.account_id,
            "detail": {"changed": list(entry.changed), "parent": entry.parent_id},
        }
    if isinstance(entry, ClaimMoved):
        claim = entry.after
        return {
            "action": f"claim.{_BESIDE_STATE.get(entry.cause, claim.state)}",
            "subject": claim.registration_id,
            "detail": {
                "claim": claim.id,
                "line": claim.product_line,
                "place": claim.place,
                "from": entry.before.state if entry.before else None,
                "cause": entry.cause,
                "reasons": list(entry.reasons),
                "conflict": claim.case_id,
            },
        }
    if isinstance(entry, CaseActed):
        return {
            "action": f"conflict.{entry.step}",
            "subject": entry.case.id,
            "detail": {"by": entry.by, "level": entry.level, "entry": entry.entry_id}
            | dict(entry.detail),
        }
    return {
        "action": f"conflict.{entry.step}",
        "subject": entry.case.id,
        "detail": {"kind": entry.case.kind, "claims": list(entry.joined or entry.case.claim_ids)},
    }

"""The audit rows of what happened to an account: one for each act, claim step and case step.

Written in the deciding transaction. Ids only, no person's data; a partner's timeline is drawn from the
rows about its own claims, and the history of a line from the steps of its claims.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from dealreg_registration.commands import Actor
from dealreg_registration.domain.account import Acted, ClaimMoved, Corrected, Entry, State
from dealreg_registration.domain.case import CaseActed, CaseMoved
from dealreg_registration.domain.entries import AccountEdited, AccountMerged, Decided
from dealreg_registration.domain.history import Step
from dealreg_registration.domain.referral import ReferralMoved
from dealreg_registration.domain.transfer import TransferMoved
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.db.types import parse_instant

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
    "objected": "objected",
    "transfer_asked": "transfer_asked",
    "transfer_ended": "transfer_ended",
    "lead_changed": "lead_changed",
}
"""Causes of steps that leave the state as it is -> what happened."""

_CORRECTING = frozenset({"corrected", "ruling"})
"""Causes of the steps of a ruling that corrects the record: of the deal, and of what followed."""


def audit_rows(entries: Sequence[Entry], actor: Actor, now: datetime) -> list[dict[str, Any]]:
    """One row for each entry, in order, written at ``now``; referrals that move together have one
    each.

    ``recorded_at`` is set where time made the step earlier than that, ``counts_from`` where a correction
    says how things have been since.
    """
    rows = []
    corrected: datetime | None = None
    for entry in entries:
        if isinstance(entry, Decided):
            continue
        if isinstance(entry, ReferralMoved):
            described = _describe_referrals(entry)
        elif isinstance(entry, TransferMoved):
            described = [_describe_transfer(entry)]
        else:
            described = [_describe(entry)]
        if isinstance(entry, Corrected):
            corrected = entry.former_at
        elif isinstance(entry, CaseActed):
            corrected = None
        counts_back = isinstance(entry, ClaimMoved) and entry.cause in _CORRECTING
        rows += [
            {
                "at": entry.at,
                "recorded_at": now if now != entry.at else None,
                "counts_from": corrected if counts_back else None,
                "actor": actor.id,
                **row,
            }
            for row in described
        ]
    return rows


def steps_of(rows: Iterable[Mapping[str, Any]]) -> list[Step]:
    """The steps of claims among audit rows, in their order."""
    return [
        Step(
            claim_id=detail["claim"],
            place=detail["place"],
            state=detail.get("to") or _state_before_0010(row),
            cause=detail["cause"],
            known_from=row["at"],
            counts_from=row["counts_from"] or row["at"],
            recorded_at=row["recorded_at"] or row["at"],
            plan_number=detail.get("plan"),
            protected_until=parse_instant(detail["until"]) if "until" in detail else None,
            co_holds=detail.get("co_holds"),
            case_id=detail["conflict"],
            reasons=tuple(detail["reasons"]),
        )
        for row in rows
        for detail in [row["detail"]]
        if row["action"].startswith("claim.")
    ]


def _describe_transfer(entry: TransferMoved) -> dict[str, Any]:
    it = entry.transfer
    return {
        "action": f"transfer.{entry.step}",
        "subject": it.id,
        "detail": {
            "from": it.from_id,
            "to": it.to_id,
            "state": it.state,
            "claims": list(it.claim_ids),
            "taken": it.taken_registration_id,
        },
    }


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


def _state_before_0010(row: Mapping[str, Any]) -> State:
    """Rows were written without the state until revision 0010; the action told it."""
    happened = row["action"].removeprefix("claim.")
    beside = happened in _BESIDE_STATE.values()
    return cast(State, row["detail"]["from"] if beside else happened)


def _describe(
    entry: AccountMerged | Acted | Corrected | AccountEdited | ClaimMoved | CaseMoved | CaseActed,
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
    if isinstance(entry, AccountMerged):
        return {
            "action": "account.merged",
            "subject": entry.account_id,
            "detail": {"merged": entry.merged_id, "reason": entry.reason},
        }
    if isinstance(entry, AccountEdited):
        return {
            "action": "account.edited",
            "subject": entry.account_id,
            "detail": {"changed": list(entry.changed), "parent": entry.parent_id},
        }
    if isinstance(entry, ClaimMoved):
        claim = entry.after
        detail = {
            "claim": claim.id,
            "line": claim.product_line,
            "place": claim.place,
            "from": entry.before.state if entry.before else None,
            "to": claim.state,
            "cause": entry.cause,
            "reasons": list(entry.reasons),
            "conflict": claim.case_id,
            "plan": claim.plan_number,
        }
        if claim.holds and claim.protected_until is not None:
            detail["until"] = format_instant(claim.protected_until)
        if claim.co_holds is not None:
            detail["co_holds"] = claim.co_holds
        return {
            "action": f"claim.{_BESIDE_STATE.get(entry.cause, claim.state)}",
            "subject": claim.registration_id,
            "detail": detail,
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

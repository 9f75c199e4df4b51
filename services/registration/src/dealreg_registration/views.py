"""What callers see of registrations, claims, cases and accounts: JSON values, by who asks.

A partner sees its own outcome, sentences that name no rival, and the owner as you, other, direct or
none; never a place, a rival, a count of rivals or the full trace (rules.md, section 2, "Always"). Every
view of these things is made here, so that there is one place to prove it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from dealreg_registration.commands import Actor
from dealreg_registration.domain import facts
from dealreg_registration.domain.account import (
    Account,
    Claim,
    Owner,
    Registration,
)
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.decide import Decision
from dealreg_registration.domain.owner import owner_for
from dealreg_shared.contracts.base import format_instant


def encode(view: Any) -> bytes:
    """JSON as it is stored for an idempotency key and sent."""
    return orjson.dumps(view)


def _instant(value: datetime | None) -> str | None:
    return None if value is None else format_instant(value)


def _money(amount: Decimal, currency: str) -> dict[str, str]:
    return {"amount": format(amount, "f"), "currency": currency}


def claim_view(claim: Claim, reasons: Sequence[str], actor: Actor) -> dict[str, Any]:
    """One claim. Places and cases are for staff."""
    view: dict[str, Any] = {
        "id": claim.id,
        "product_line": claim.product_line,
        "state": claim.state,
        "codes": list(claim.codes),
        "reasons": list(reasons),
        "protected_from": _instant(claim.protected_from),
        "protected_until": _instant(claim.protected_until),
        "duplicate_of": claim.duplicate_of,
        "referred_to": referral_view(claim, actor),
        "decided_at": _instant(claim.decided_at),
        "ended_at": _instant(claim.ended_at),
        "to_do": to_do_view(claim),
        "extension": extension_view(claim),
    }
    if actor.staff:
        view |= {
            "place": claim.place,
            "territory": claim.territory_id,
            "assignment": claim.assignment_id,
            "conflict": claim.case_id,
            "plan_number": claim.plan_number,
        }
    return view


def to_do_view(claim: Claim) -> list[dict[str, Any]]:
    """What the claim's partner must do, and until when."""
    flags = claim.flags
    wanted = (
        ("confirm_offer", flags.offered_until),
        ("give_information", flags.information_due),
        ("show_activity", flags.idle_release_at),
        ("object", flags.object_until),
        ("consent_to_transfer", flags.transfer_until),
    )
    return [{"act": act, "until": _instant(until)} for act, until in wanted if until is not None]


def extension_view(claim: Claim) -> str | None:
    """Whether more time was asked for, or granted."""
    if claim.flags.extension_asked is not None:
        return "asked"
    return "granted" if claim.state == "extended" else None


def correspondence_view(entry: Any, actor: Actor) -> dict[str, Any]:
    """What staff and the partner wrote to each other. A partner is not told who of the staff it was."""
    view: dict[str, Any] = {
        "at": _instant(entry.at),
        "kind": entry.kind,
        "by": "vendor" if entry.side == "staff" else "partner",
        "product_lines": entry.product_lines,
        "text": entry.text,
        "evidence": entry.evidence,
        "until": _instant(entry.due_at),
    }
    return view | {"actor": entry.actor} if actor.staff else view


def referral_view(claim: Claim, actor: Actor) -> dict[str, str | None] | None:
    """Who a claim is referred to. For a partner, the kind alone; the sentence holds the name if the
    plan allows it."""
    if claim.referred_kind is None:
        return None
    if actor.staff:
        return {"kind": claim.referred_kind, "id": claim.referred_id}
    return {"kind": claim.referred_kind}


def co_sell_view(account: Account, claim: Claim) -> dict[str, Any] | None:
    """With whom a claim shares its protection by a ruling: these partners may see each other."""
    lead = claim if claim.holds else account.claims.get(claim.co_holds or "")
    if lead is None or not lead.holds:
        return None
    others = sorted(
        (c for c in account.claims.values() if c.co_holds == lead.id and c.live),
        key=lambda c: c.turn,
    )
    together = [lead, *others]
    if len(together) == 1:
        return None
    return {
        "role": "lead" if claim is lead else "co_holder",
        "with": [c.partner_id for c in together if c.id != claim.id],
    }


def owner_view(owner: Owner, registration: Registration, actor: Actor) -> Any:
    if actor.staff:
        return {
            "kind": owner.kind,
            "partner_id": owner.partner_id,
            "direct_id": owner.direct_id,
        }
    return owner.seen_by(registration.partner_id)


def registration_base(registration: Registration, account_id: str, actor: Actor) -> dict[str, Any]:
    view: dict[str, Any] = {
        "id": registration.id,
        "partner_id": registration.partner_id,
        "account_name": registration.account_name,
        "filed_at": _instant(registration.filed_at),
        "amount": _money(registration.amount, registration.currency),
        "close_date": registration.close_date.isoformat(),
        "deal_type": registration.deal_type,
        "result": registration.result,
        "result_at": _instant(registration.result_at),
        "version": registration.version,
    }
    if actor.staff:
        view |= {
            "account_id": account_id,
            "referred_by": registration.referred_by,
            "market": {
                "region": registration.market_region,
                "segment": registration.market_segment,
            },
        }
    return view


def registration_view(
    account: Account, registration: Registration, decision: Decision, actor: Actor
) -> dict[str, Any]:
    """A registration as just decided, with its trace: all of it for staff, sentences for a partner."""
    moves = {
        move.after.product_line: move
        for move in account.moves()
        if move.after.registration_id == registration.id and move.before is None
    }
    claims = []
    for line in decision.lines:
        claim = account.claims[moves[line.product_line].after.id]
        view = claim_view(claim, line.reasons, actor)
        view["outcome"] = line.outcome
        view["trace"] = [
            step.for_staff()
            if actor.staff
            else {"rule": step.rule, "held": step.held, "sentence": step.sentence}
            for step in line.trace
        ]
        claims.append(view)
    return registration_base(registration, account.id, actor) | {
        "plan_number": decision.plan_number,
        "rule_book": decision.rule_book,
        "owner": owner_view(decision.owner, registration, actor),
        "claims": claims,
    }


def present_view(
    account: Account,
    registration: Registration,
    context: Context,
    actor: Actor,
    reasons: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """A registration as it stands now, in true order of its claims. ``reasons`` are those of its claims
    as they were read; what has happened since speaks for itself."""
    spoken = dict(reasons)
    for move in account.moves():
        if move.reasons:
            spoken[move.after.id] = move.reasons
    owner = owner_for(account, registration, context.plan, context.standing, context.now)
    claims = []
    for claim in account.of_registration(registration.id):
        view = claim_view(claim, spoken.get(claim.id, ()), actor)
        view["co_sell"] = co_sell_view(account, claim)
        claims.append(view)
    return registration_base(registration, account.id, actor) | {
        "owner": owner_view(owner, registration, actor),
        "claims": claims,
    }


def account_view(account: Account, created_at: datetime) -> dict[str, Any]:
    """An account, for staff."""
    return {
        "id": account.id,
        "name": account.name,
        "keys": sorted(account.keys),
        "facts": facts.to_json(account.facts),
        "said_by": account.sources,
        "parent_id": account.parent_id,
        "merged_into": account.merged_into,
        "version": account.version,
        "created_at": _instant(created_at),
        "active_claims": [
            {
                "id": claim.id,
                "registration_id": claim.registration_id,
                "partner_id": claim.partner_id,
                "product_line": claim.product_line,
                "place": claim.place,
                "state": claim.state,
                "protected_until": _instant(claim.protected_until),
            }
            for claim in account.active()
        ],
    }

"""Which standby claim is next when a line falls free. A decision too: pure, kept, and replayed.

One that is skipped keeps its place: its partner is not active or not in territory just now, information
is wanted of it, or it let this very vacancy pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from dealreg_registration.domain.account import Account, Claim
from dealreg_registration.domain.coverage import Cover, covers, target_for
from dealreg_registration.domain.plan import Plan, Standing, window

Because = Literal["ended", "confirmed", "answered"]
_WHY: Mapping[Because, str] = {
    "ended": "The earlier protection ended and yours was next",
    "confirmed": "You confirmed that you take this deal over",
    "answered": "You have answered, and nobody holds this product line",
}


@dataclass(frozen=True, slots=True)
class Promotion:
    """``cover`` is the assignment by which the partner is in territory; None on an open account."""

    claim: Claim
    protected_from: datetime
    protected_until: datetime
    cover: Cover | None
    sentence: str


def next_in_line(
    account: Account,
    plan: Plan,
    standing: Standing,
    product_line: str,
    at: datetime,
    *,
    vacancy: datetime | None = None,
    only: str | None = None,
    because: Because = "ended",
) -> Promotion | None:
    """The oldest standby claim that is active and in territory under the plan then in force.

    ``vacancy`` names a line that was lost: who let it pass is skipped. ``only`` asks for one claim,
    whose partner has confirmed an offer or answered a question.
    """
    named = plan.named(account.keys, account.parent_keys)
    for waiting in account.standby(product_line):
        partner = plan.partners.get(waiting.partner_id)
        registration = account.registrations[waiting.registration_id]
        if only is not None and waiting.id != only:
            continue
        if waiting.flags.information_due is not None:
            continue
        if vacancy is not None and waiting.flags.passed == vacancy:
            continue
        if partner is None or not standing.active(partner.id, at):
            continue
        target = target_for(
            plan, account.facts, registration.place_of_use, named, product_line, registration.tags
        )
        coverage = covers(plan, standing, target, at)
        mine = coverage.standing_of(partner.id)
        uncovered = not coverage.covering and coverage.direct is None
        open_protected = uncovered and plan.policy.protect_open
        if mine is None and not (open_protected or waiting.flags.referral_exhausted):
            continue
        start, end = window(partner, at)
        return Promotion(
            waiting,
            start,
            end,
            mine,
            f"{_WHY[because]}: you are protected for {partner.protection_days} days, "
            f"until {end:%Y-%m-%d %H:%M} UTC.",
        )
    return None


def describe_promotion(promotion: Promotion, plan_number: int, rule_book: str) -> dict[str, Any]:
    """The result as it is kept."""
    cover = promotion.cover
    return {
        "rule_book": rule_book,
        "plan": plan_number,
        "claim": promotion.claim.id,
        "outcome": "protected",
        "from": promotion.protected_from.isoformat().replace("+00:00", "Z"),
        "until": promotion.protected_until.isoformat().replace("+00:00", "Z"),
        "territory": cover.territory.id if cover else None,
        "assignment": cover.assignment.id if cover else None,
        "sentence": promotion.sentence,
    }

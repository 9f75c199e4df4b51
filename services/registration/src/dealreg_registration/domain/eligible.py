"""Rule 1 of the decision: is the registration eligible at all?"""

from datetime import datetime, timedelta

from dealreg_registration.domain.account import Account, Registration
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.plan import NamedAccount


def ineligible(
    filing: Registration,
    line: str,
    account: Account,
    context: Context,
    named: NamedAccount | None,
    new_evidence: bool,
) -> list[tuple[str, str]]:
    """Rule 1: every reason why the line is not eligible, as (code, sentence)."""
    plan, now = context.plan, context.now
    reasons: list[tuple[str, str]] = []
    if filing.partner_id not in plan.partners:
        reasons.append(("partner_not_in_plan", "Your company is not part of the plan in force."))
    elif not context.standing.active(filing.partner_id, now):
        reasons.append(("partner_suspended", "Your company is suspended from registering deals."))
    if line not in plan.line_of.values():
        reasons.append(("unknown_product_line", f"The plan has no product line or SKU {line!r}."))
    if plan.convert(filing.amount, filing.currency) is None:
        reasons.append(
            (
                "no_exchange_rate",
                f"The plan has no exchange rate for {filing.currency}; "
                f"file the amount in {plan.currency}.",
            )
        )
    elif plan.policy.minimum_amount is not None and filing.amount_base < plan.policy.minimum_amount:
        reasons.append(
            (
                "below_minimum_amount",
                f"The amount is below the minimum of {plan.policy.minimum_amount} {plan.currency}.",
            )
        )
    if filing.close_date < now.date():
        reasons.append(("close_date_past", "The close date has passed."))
    if named is not None and named.excluded:
        reasons.append(("account_excluded", "The plan takes no registrations for this account."))
    if plan.policy.cooling_off_days and not new_evidence:
        until = _cooling_off_until(filing, line, account, plan.policy.cooling_off_days)
        if until is not None and now < until:
            reasons.append(
                (
                    "cooling_off",
                    f"Your protection here expired; you may file again from {until:%Y-%m-%d} on, "
                    "or with new evidence.",
                )
            )
    if filing.deal_type == "renewal" and plan.policy.renewal_incumbent:
        incumbent = account.incumbents.get(line)
        if incumbent is not None and incumbent != filing.partner_id:
            reasons.append(
                (
                    "not_incumbent",
                    "A renewal comes from the partner that won the last deal here; "
                    "that is not your company.",
                )
            )
    return reasons


def _cooling_off_until(
    filing: Registration, line: str, account: Account, days: int
) -> datetime | None:
    ends = [
        claim.protected_until
        for claim in account.claims.values()
        if claim.partner_id == filing.partner_id
        and claim.product_line == line
        and claim.state == "expired"
        and claim.protected_until is not None
    ]
    return max(ends) + timedelta(days=days) if ends else None

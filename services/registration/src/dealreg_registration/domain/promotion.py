"""What follows when a product line falls free: standby is promoted, or ended where the plan says so.

Pure: the same account, plans and instant give the same steps.
"""

from datetime import datetime

from dealreg_registration.domain.account import Account, Decided
from dealreg_registration.domain.cases import close_settled
from dealreg_registration.domain.coverage import covers, target_for
from dealreg_registration.domain.inputs import describe
from dealreg_registration.domain.plan import PlanBook, Standing, window


def after_end(
    account: Account, book: PlanBook, standing: Standing, product_line: str, at: datetime
) -> None:
    """What follows when a line falls free at ``at``: promotion of standby, or its end; cases close."""
    plan = book.at(at)
    if plan is not None and plan.policy.standby == "promote":
        _promote(account, book, standing, product_line, at)
    else:
        for waiting in account.standby(product_line):
            account.move(
                waiting,
                "standby_off",
                at,
                ("The protection before yours ended; this plan promotes no standby claims.",),
                state="closed",
            )
    close_settled(account, at)


def _promote(
    account: Account, book: PlanBook, standing: Standing, product_line: str, at: datetime
) -> None:
    """The oldest standby claim that is active and in territory under the plan then in force."""
    plan = book.at(at)
    if plan is None:
        return
    named = plan.named(account.keys, account.parent_keys)
    for waiting in account.standby(product_line):
        partner = plan.partners.get(waiting.partner_id)
        registration = account.registrations[waiting.registration_id]
        if partner is None or not standing.active(partner.id, at):
            continue
        target = target_for(
            plan, account.facts, registration.place_of_use, named, product_line, registration.tags
        )
        coverage = covers(plan, standing, target, at)
        mine = coverage.standing_of(partner.id)
        uncovered = not coverage.covering and coverage.direct is None
        if mine is None and not (uncovered and plan.policy.protect_open):
            continue
        inputs = describe(registration, [product_line], account, at)
        start, end = window(partner, at)
        sentence = (
            "The earlier protection ended and yours was next: you are protected for "
            f"{partner.protection_days} days, until {end:%Y-%m-%d %H:%M} UTC."
        )
        promoted = account.move(
            waiting,
            "former_ended",
            at,
            (sentence,),
            state="protected",
            decided_at=at,
            plan_number=plan.number,
            protected_from=start,
            protected_until=end,
            territory_id=mine.territory.id if mine else None,
            assignment_id=mine.assignment.id if mine else None,
        )
        account.journal.append(
            Decided(
                registration.id,
                at,
                "promotion",
                plan.number,
                inputs,
                {
                    "claim": promoted.id,
                    "outcome": "protected",
                    "from": start.isoformat(),
                    "until": end.isoformat(),
                    "sentence": sentence,
                },
            )
        )
        return

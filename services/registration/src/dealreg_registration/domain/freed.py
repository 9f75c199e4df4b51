"""What follows when a product line falls free: standby is promoted, or ended where the plan says so.

Pure: the same account, plans and instant give the same steps.
"""

from datetime import datetime

from dealreg_registration.domain.account import Account, Decided
from dealreg_registration.domain.cases import close_settled
from dealreg_registration.domain.decide import RULE_BOOK
from dealreg_registration.domain.inputs import describe_standby
from dealreg_registration.domain.plan import PlanBook, Standing
from dealreg_registration.domain.promotion import describe_promotion, next_in_line


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
    witnessed = standing.witnessed()
    promotion = next_in_line(account, plan, witnessed, product_line, at)
    if promotion is None:
        return
    waiting, cover = promotion.claim, promotion.cover
    inputs = describe_standby(product_line, account, at, witnessed.suspended)
    account.move(
        waiting,
        "former_ended",
        at,
        (promotion.sentence,),
        state="protected",
        decided_at=at,
        plan_number=plan.number,
        protected_from=promotion.protected_from,
        protected_until=promotion.protected_until,
        territory_id=cover.territory.id if cover else None,
        assignment_id=cover.assignment.id if cover else None,
    )
    account.journal.append(
        Decided(
            waiting.registration_id,
            at,
            "promotion",
            plan.number,
            inputs,
            describe_promotion(promotion, plan.number, RULE_BOOK),
        )
    )

"""What follows when a product line falls free: standby is promoted, or ended where the plan says so.

Pure: the same account, plans and instant give the same steps.
"""

from datetime import datetime

from dealreg_registration.domain.account import Account, Claim
from dealreg_registration.domain.cases import close_settled
from dealreg_registration.domain.decide import RULE_BOOK
from dealreg_registration.domain.entries import Decided
from dealreg_registration.domain.inputs import describe_standby
from dealreg_registration.domain.plan import Plan, PlanBook, Standing
from dealreg_registration.domain.promotion import Because, describe_promotion, next_in_line


def after_end(
    account: Account, book: PlanBook, standing: Standing, product_line: str, at: datetime
) -> None:
    """What follows when a line falls free at ``at``: promotion of standby, or its end; cases close."""
    plan = book.at(at)
    if plan is not None and plan.policy.standby == "promote":
        protect_next(account, plan, standing, product_line, at)
    else:
        close_standby(account, product_line, at)
    close_settled(account, at)


def close_standby(account: Account, product_line: str, at: datetime) -> None:
    """End the standby of a line, under a plan that promotes none."""
    for waiting in account.standby(product_line):
        account.move(
            waiting,
            "standby_off",
            at,
            ("The protection before yours ended; this plan promotes no standby claims.",),
            state="closed",
        )


def protect_next(
    account: Account,
    plan: Plan,
    standing: Standing,
    product_line: str,
    at: datetime,
    *,
    only: str | None = None,
    because: Because = "ended",
) -> Claim | None:
    """Protect who is next in line, or ``only`` this claim, whose partner confirmed or answered.

    Returns the claim; None if nobody can be.
    """
    witnessed = standing.witnessed()
    promotion = next_in_line(account, plan, witnessed, product_line, at, only=only, because=because)
    if promotion is None:
        return None
    waiting, cover = promotion.claim, promotion.cover
    inputs = describe_standby(
        product_line, account, at, witnessed.suspended, only=only, because=because
    )
    after = account.move(
        waiting,
        "offer_accepted" if because == "confirmed" else "former_ended",
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
    return after

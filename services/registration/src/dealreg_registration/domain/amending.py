"""Editing a registration: amount, close date, and facts that were not yet known."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from dealreg_registration.domain.account import Account, Acted, Registration
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.decide import amount_in_base
from dealreg_registration.domain.errors import (
    BelowMinimumAmount,
    CloseDatePast,
    FactAlreadyKnown,
    NoExchangeRate,
    RegistrationEnded,
)
from dealreg_registration.domain.facts import Facts, Source, changed_facts, merge
from dealreg_registration.domain.filing import NewId, decide_again, touch
from dealreg_registration.domain.owner import owner_for
from dealreg_registration.domain.plan import Plan


def amend(
    account: Account,
    registration: Registration,
    context: Context,
    new_id: NewId,
    *,
    amount: tuple[Decimal, str] | None = None,
    close_date: date | None = None,
    facts: Facts | None = None,
    by: Source = "partner",
    also_changed: tuple[str, ...] = (),
) -> Registration:
    """Edit a registration and, if facts became known, decide open and referred claims again.

    A partner adds unknown facts; to change a known one is refused, naming it. ``also_changed`` names
    what the caller changes beside the decision, such as contacts.
    """
    if registration.result is not None:
        raise RegistrationEnded("This deal's result is recorded; it cannot be edited.")
    changed = list(also_changed)
    merged, sources = account.facts, account.sources
    if facts is not None:
        merged, sources, refused = merge(account.facts, facts, by=by, sources=account.sources)
        if refused:
            names = ", ".join(item.fact for item in refused)
            raise FactAlreadyKnown(
                f"The account's {names} is known already; ask staff to change it."
            )
    if amount is not None and amount != (registration.amount, registration.currency):
        _check_amount(amount, context.plan)
    if (
        close_date is not None
        and close_date != registration.close_date
        and close_date < context.now.date()
    ):
        raise CloseDatePast("The close date must not lie in the past.")
    registration = touch(account, registration, context)
    if amount is not None and amount != (registration.amount, registration.currency):
        value, currency = amount
        registration = replace(
            registration,
            amount=value,
            currency=currency,
            amount_base=amount_in_base(context.plan, value, currency),
        )
        changed.append("amount")
    if close_date is not None:
        registration = replace(registration, close_date=close_date)
        changed.append("close_date")
    account.registrations[registration.id] = registration
    learned = changed_facts(account.facts, merged)
    account.facts, account.sources = merged, dict[str, Source](sources)
    owner = owner_for(account, registration, context.plan, context.standing, context.now)
    account.journal.append(
        Acted(registration.id, "amended", context.now, owner, changed=(*changed, *learned))
    )
    if learned:
        account.version += 1
        decide_again(account, context, new_id, registration.id)
    return account.registrations[registration.id]


def _check_amount(amount: tuple[Decimal, str], plan: Plan) -> None:
    """Rule 1 for an edited amount. Raises ``NoExchangeRate`` or ``BelowMinimumAmount``."""
    converted = plan.convert(*amount)
    if converted is None:
        raise NoExchangeRate(
            f"The plan has no exchange rate for {amount[1]}; write the amount in {plan.currency}."
        )
    minimum = plan.policy.minimum_amount
    if minimum is not None and converted < minimum:
        raise BelowMinimumAmount(f"The amount must be at least {minimum} {plan.currency}.")

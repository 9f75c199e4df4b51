"""How a registration ends by someone's word: withdrawn, won, lost or revoked."""

from dataclasses import replace
from typing import Literal

from dealreg_registration.domain.account import PENDING, Account, Acted, Claim, Registration
from dealreg_registration.domain.cases import close_settled
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.errors import NothingToEnd
from dealreg_registration.domain.filing import touch
from dealreg_registration.domain.offers import line_freed
from dealreg_registration.domain.owner import owner_for
from dealreg_registration.domain.plan import PlanBook


def withdraw(
    account: Account, registration: Registration, book: PlanBook, context: Context
) -> Registration:
    """The partner gives the registration up; standby is promoted as after an expiry."""
    return _end(account, registration, book, context, "withdrawn", None)


def revoke(
    account: Account,
    registration: Registration,
    book: PlanBook,
    context: Context,
    reason: str,
) -> Registration:
    """Staff take the registration back for cause."""
    return _end(account, registration, book, context, "revoked", reason)


def report_result(
    account: Account,
    registration: Registration,
    book: PlanBook,
    context: Context,
    result: Literal["won", "lost"],
    reason: str | None = None,
) -> Registration:
    """Record the deal's result. The first report counts; another one is for ``contradict``.

    On claims that have ended already the result is only recorded, and their state stays. A win closes
    the standby of its lines; after a loss it is offered the line.
    """
    if registration.result is not None:
        return registration
    registration = replace(
        touch(account, registration, context), result=result, result_at=context.now
    )
    account.registrations[registration.id] = registration
    claims = _active(account, registration)
    _act(account, registration, context, result, claims, reason)
    for claim in claims:
        account.move(claim, result, context.now, state=result)
        if result == "won":
            account.incumbents[claim.product_line] = claim.partner_id
            for waiting in account.standby(claim.product_line):
                account.move(
                    waiting,
                    "line_won",
                    context.now,
                    ("Standby on this product line has ended, and your claim with it.",),
                    state="closed",
                )
        else:
            line_freed(account, claim, book, context.standing, context.now, lost=True)
    close_settled(account, context.now)
    return registration


def _end(
    account: Account,
    registration: Registration,
    book: PlanBook,
    context: Context,
    act: Literal["withdrawn", "revoked"],
    reason: str | None,
) -> Registration:
    claims = _active(account, registration)
    if not claims:
        raise NothingToEnd("None of this registration's claims is live or open.")
    registration = touch(account, registration, context)
    _act(account, registration, context, act, claims, reason)
    for claim in claims:
        account.move(claim, act, context.now, state=act)
        line_freed(account, claim, book, context.standing, context.now)
    close_settled(account, context.now)
    return registration


def _act(
    account: Account,
    registration: Registration,
    context: Context,
    act: Literal["withdrawn", "revoked", "won", "lost"],
    claims: list[Claim],
    reason: str | None,
) -> None:
    owner = owner_for(account, registration, context.plan, context.standing, context.now)
    held = any(claim.holds for claim in claims)
    account.journal.append(
        Acted(registration.id, act, context.now, owner, held=held, reason=reason)
    )


def _active(account: Account, registration: Registration) -> list[Claim]:
    return [
        claim
        for claim in account.of_registration(registration.id)
        if claim.live or claim.state in PENDING
    ]

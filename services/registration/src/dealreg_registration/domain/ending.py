"""How a registration ends by someone's word: withdrawn, won, lost or revoked."""

from dataclasses import replace
from typing import Literal

from dealreg_registration.domain.account import PENDING, Account, Claim, Registration
from dealreg_registration.domain.cases import close_settled
from dealreg_registration.domain.decide import Context
from dealreg_registration.domain.errors import NothingToEnd, ResultAlreadyRecorded
from dealreg_registration.domain.filing import touch
from dealreg_registration.domain.plan import PlanBook
from dealreg_registration.domain.settle import after_end


def withdraw(
    account: Account, registration: Registration, book: PlanBook, context: Context
) -> Registration:
    """The partner gives the registration up; standby is promoted as after an expiry."""
    return _end(account, registration, book, context, "withdrawn", "withdrawn")


def revoke(
    account: Account, registration: Registration, book: PlanBook, context: Context
) -> Registration:
    """Staff take the registration back for cause."""
    return _end(account, registration, book, context, "revoked", "revoked")


def report_result(
    account: Account,
    registration: Registration,
    book: PlanBook,
    context: Context,
    result: Literal["won", "lost"],
) -> Registration:
    """Record the deal's result. The first report counts.

    On claims that have ended already the result is only recorded, and their state stays. A win closes
    the standby of its lines; a loss promotes it as an expiry does.
    """
    if registration.result is not None and registration.result != result:
        raise ResultAlreadyRecorded(
            f"This deal was already reported {registration.result}; the first report counts."
        )
    if registration.result == result:
        return registration
    registration = replace(
        touch(account, registration, context), result=result, result_at=context.now
    )
    account.registrations[registration.id] = registration
    for claim in _active(account, registration):
        held = claim.holds
        account.move(claim, result, context.now, state=result)
        if result == "won":
            for waiting in account.standby(claim.product_line):
                account.move(
                    waiting,
                    "line_won",
                    context.now,
                    ("The deal was closed; standby claims on this product line end with it.",),
                    state="closed",
                )
        elif held:
            after_end(account, book, context.standing, claim.product_line, context.now)
    close_settled(account, context.now)
    return registration


def _end(
    account: Account,
    registration: Registration,
    book: PlanBook,
    context: Context,
    state: str,
    cause: str,
) -> Registration:
    claims = _active(account, registration)
    if not claims:
        raise NothingToEnd("None of this registration's claims is live or open.")
    registration = touch(account, registration, context)
    for claim in claims:
        held = claim.holds
        account.move(claim, cause, context.now, state=state)
        if held:
            after_end(account, book, context.standing, claim.product_line, context.now)
    close_settled(account, context.now)
    return registration


def _active(account: Account, registration: Registration) -> list[Claim]:
    return [
        claim
        for claim in account.of_registration(registration.id)
        if claim.live or claim.state in PENDING
    ]

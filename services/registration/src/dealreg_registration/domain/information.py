"""Information wanted: a flag with a due date on a live or open claim, not a state.

Window and place stay. While it lasts, standby is skipped; unanswered, the claim lapses as withdrawn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from dealreg_registration.domain.account import ACTIVE, Account, Claim
from dealreg_registration.domain.cases import close_settled
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.due import Due, Timeline
from dealreg_registration.domain.errors import NothingToAsk, NothingWanted
from dealreg_registration.domain.freed import protect_next
from dealreg_registration.domain.offers import line_freed

INFORMATION_RANK = 2


def want(account: Account, claims: Sequence[Claim], question: str, context: Context) -> datetime:
    """Ask a question about claims, to be answered within the plan's business days. Returns until when.

    Raises ``NothingToAsk`` unless each is live or open and no question about it is unanswered.
    """
    if not claims:
        raise NothingToAsk("No claim of this registration is live or open.")
    for claim in claims:
        if not (claim.live or claim.state == "open"):
            raise NothingToAsk(f"The claim on {claim.product_line!r} is neither live nor open.")
        if claim.flags.information_due is not None:
            raise NothingToAsk(
                f"Information on {claim.product_line!r} is wanted already and not yet given."
            )
    plan = context.plan
    due = plan.business_days.add_business_days(context.now, plan.policy.information_days)
    for claim in claims:
        flags = replace(claim.flags, information_due=due)
        account.move(claim, "information_wanted", context.now, note=question, flags=flags)
    return due


def give(account: Account, claims: Sequence[Claim], context: Context) -> None:
    """The partner answered. Raises ``NothingWanted``.

    Standby was skipped while the question lasted: if that left the line to nobody, it is promoted now,
    unless its partner let the line pass when it was offered.
    """
    if not claims:
        raise NothingWanted("No information is wanted of you here.")
    for claim in claims:
        if claim.flags.information_due is None:
            raise NothingWanted(f"No information is wanted on {claim.product_line!r}.")
    for claim in claims:
        flags = replace(claim.flags, information_due=None)
        after = account.move(claim, "information_given", context.now, flags=flags)
        line = after.product_line
        if (
            context.plan.policy.standby == "promote"
            and after.state == "contested"
            and after.flags.passed is None
            and account.taken_by(line) is None
        ):
            protect_next(
                account,
                context.plan,
                context.standing,
                line,
                context.now,
                only=after.id,
                because="answered",
            )


def information_overdue(account: Account, _timeline: Timeline) -> Iterator[Due]:
    """A question that was not answered in time ends the claim."""
    for claim in account.claims.values():
        if claim.flags.information_due is not None and claim.state in ACTIVE:
            yield Due(claim.flags.information_due, claim, INFORMATION_RANK, _lapse)


def _lapse(account: Account, claim: Claim, timeline: Timeline, at: datetime) -> None:
    account.move(
        claim,
        "information_lapsed",
        at,
        ("The information that was wanted did not arrive in time; the claim counts as withdrawn.",),
        state="withdrawn",
    )
    line_freed(account, claim, timeline.book, timeline.standing, at)
    close_settled(account, at)

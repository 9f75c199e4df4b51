"""After a loss the line is offered to standby, to be confirmed: a lost deal need not be worth having.

Until somebody confirms, or everybody has let it pass, the line counts as taken: rule 7 applies to new
filings, which queue behind. Who declines or lets an offer lapse keeps its place for whatever ends next
(rules.md, section 2: "One that is skipped keeps its place"); it is not offered the same vacancy again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from dealreg_registration.domain.account import Account, Claim
from dealreg_registration.domain.cases import close_settled
from dealreg_registration.domain.causes import Cause
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.due import Due, Timeline
from dealreg_registration.domain.errors import NothingOffered, OfferNotForYou
from dealreg_registration.domain.freed import after_end, close_standby, protect_next
from dealreg_registration.domain.plan import PlanBook, Standing
from dealreg_registration.domain.promotion import next_in_line

OFFER_RANK = 3


def line_freed(
    account: Account,
    ended: Claim,
    book: PlanBook,
    standing: Standing,
    at: datetime,
    *,
    lost: bool = False,
) -> None:
    """What follows when a claim has ended; ``ended`` is the claim as it was before.

    Nothing, unless it took its line: then standby is promoted, or offered the line after a loss.
    """
    if ended.offered and ended.flags.offered_for is not None:
        offer_next(account, book, standing, ended.product_line, ended.flags.offered_for, at)
    elif ended.holds and lost:
        offer_next(account, book, standing, ended.product_line, at, at)
    elif ended.holds:
        after_end(account, book, standing, ended.product_line, at)


def offer_next(
    account: Account,
    book: PlanBook,
    standing: Standing,
    product_line: str,
    vacancy: datetime,
    at: datetime,
) -> None:
    """Offer a lost line to who is next and did not let it pass; cases close."""
    plan = book.at(at)
    if plan is None or plan.policy.standby == "off":
        close_standby(account, product_line, at)
    else:
        following = next_in_line(account, plan, standing, product_line, at, vacancy=vacancy)
        if following is not None:
            until = plan.business_days.add_business_days(at, plan.policy.offer_days)
            waiting = following.claim
            flags = replace(waiting.flags, offered_for=vacancy, offered_until=until)
            account.move(waiting, "offered", at, flags=flags)
    close_settled(account, at)


def void_offer(
    account: Account, product_line: str, at: datetime, *, but: str | None = None
) -> None:
    """End a line's offers, ``but`` that of one claim, without another: somebody decided otherwise who
    the line goes to."""
    for waiting in account.standby(product_line):
        if waiting.offered and waiting.id != but:
            _pass(account, waiting, "offer_lapsed", at)


def accept_offer(account: Account, offered: Sequence[Claim], context: Context) -> None:
    """The partner takes over: protected for a full window from now. Refuses before it changes anything.

    Raises ``NothingOffered``, or ``OfferNotForYou`` if the partner could not be protected now.
    """
    _require_offered(offered)
    for claim in offered:
        line = claim.product_line
        if not next_in_line(
            account, context.plan, context.standing, line, context.now, only=claim.id
        ):
            raise OfferNotForYou(
                f"Product line {line!r} cannot be protected for you now: your company must be active "
                "and in territory, and must have answered what it was asked."
            )
    for claim in offered:
        protect_next(
            account,
            context.plan,
            context.standing,
            claim.product_line,
            context.now,
            only=claim.id,
            because="confirmed",
        )
    close_settled(account, context.now)


def decline_offer(
    account: Account, offered: Sequence[Claim], book: PlanBook, context: Context
) -> None:
    """The partner does not take over; the next one is offered the line. Raises ``NothingOffered``."""
    _require_offered(offered)
    for claim in offered:
        _pass(account, claim, "offer_declined", context.now)
        _offer_on(account, claim, book, context.standing, context.now)


def _require_offered(claims: Sequence[Claim]) -> None:
    if not claims:
        raise NothingOffered("No product line of this registration is offered to you.")
    for claim in claims:
        if not claim.offered:
            raise NothingOffered(f"Product line {claim.product_line!r} is not offered to you.")


def offers_over(account: Account, _timeline: Timeline) -> Iterator[Due]:
    """An offer that nobody has answered lapses."""
    for claim in account.claims.values():
        if claim.offered and claim.flags.offered_until is not None:
            yield Due(claim.flags.offered_until, claim, OFFER_RANK, _lapse)


def _lapse(account: Account, claim: Claim, timeline: Timeline, at: datetime) -> None:
    _pass(account, claim, "offer_lapsed", at)
    _offer_on(account, claim, timeline.book, timeline.standing, at)


def _pass(account: Account, claim: Claim, cause: Cause, at: datetime) -> None:
    vacancy = claim.flags.offered_for
    flags = replace(claim.flags, offered_for=None, offered_until=None, passed=vacancy)
    account.move(claim, cause, at, flags=flags)


def _offer_on(
    account: Account, passed: Claim, book: PlanBook, standing: Standing, at: datetime
) -> None:
    vacancy = passed.flags.offered_for
    if vacancy is not None and account.holder(passed.product_line) is None:
        offer_next(account, book, standing, passed.product_line, vacancy, at)

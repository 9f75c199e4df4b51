"""Settle first: carry out what time has done, each step at the very instant it was due.

Runs before every command on an account and in every read, so that no answer depends on when a sweep ran
(rules.md, section 2). Pure: the same account, plans and instant give the same steps, in one go or many.
"""

from datetime import datetime

from dealreg_registration.domain.account import Account
from dealreg_registration.domain.due import Provider, Timeline, first_due
from dealreg_registration.domain.information import information_overdue
from dealreg_registration.domain.offers import offers_over
from dealreg_registration.domain.pauses import pauses_over
from dealreg_registration.domain.plan import PlanBook, Standing
from dealreg_registration.domain.referral_answers import referral_lapses
from dealreg_registration.domain.reminders import expiring, idle
from dealreg_registration.domain.term import releases, terms_over
from dealreg_registration.domain.transferring import transfer_lapses

PROVIDERS: tuple[Provider, ...] = (
    terms_over,
    releases,
    offers_over,
    referral_lapses,
    transfer_lapses,
    information_overdue,
    idle,
    expiring,
    pauses_over,
)
"""Everything that time alone does to an account."""


def settle(account: Account, book: PlanBook, standing: Standing, now: datetime) -> None:
    """Bring the account to ``now``: every step due, in order of its instant, then of its place."""
    if not account.claims:
        return  # time does nothing to an account that nobody has claimed
    timeline = Timeline(book, standing)
    while (due := first_due(account, timeline, PROVIDERS)) is not None and due.at <= now:
        due.step(account, due.claim, timeline, due.at)


def next_due(account: Account, book: PlanBook, standing: Standing) -> datetime | None:
    """When time will next change a settled account, by what is known now; None if it will not."""
    due = first_due(account, Timeline(book, standing), PROVIDERS)
    return None if due is None else due.at

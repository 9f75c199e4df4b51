"""A reported result that does not go with the one on record: of this deal, or of another partner's that
was won on the same product line. The first report counts; a person says which is true.
"""

from collections.abc import Callable, Iterable
from typing import Literal

from dealreg_registration.domain.account import ACTIVE, Account, Claim, Registration
from dealreg_registration.domain.case import Case
from dealreg_registration.domain.cases import open_case
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.decide import joint

NEVER_SOLD = frozenset({"rejected", "duplicate", "superseded"})


def contradict(
    account: Account,
    registration: Registration,
    claimed: Literal["won", "lost"],
    context: Context,
    new_id: Callable[[str], str],
    rivals: Iterable[Claim] = (),
) -> Case:
    """Somebody reports another result than the one on record; ``rivals`` are other partners' claims that
    it concerns. The same report again changes nothing."""
    mine = account.of_registration(registration.id)
    reported = {claim.id for claim in mine}
    for case in account.cases.values():
        if case.kind == "contradiction" and case.pending and case.claim_ids[0] in reported:
            return case
    return open_case(
        account,
        context.plan,
        "contradiction",
        new_id("cnf"),
        registration,
        tuple(claim.id for claim in (*mine, *rivals)),
        context.now,
        claimed=claimed,
    )


def rival_wins(account: Account, registration: Registration) -> list[Claim]:
    """Claims of other partners that are on record as won, on lines that a win of this deal is about, and
    after it was filed: before, it was another deal. Who shares a protection wins together. Every claim
    of the account must be read."""
    lines = _lines(account, registration)
    mine = account.of_registration(registration.id)
    found: list[Claim] = []
    for other in account.registrations.values():
        if other.partner_id == registration.partner_id or other.result != "won":
            continue
        if other.result_at is None or other.result_at < registration.filed_at:
            continue
        if joint(registration, other):
            continue
        theirs = _lines(account, other)
        found += [
            claim
            for claim in account.of_registration(other.id)
            if claim.product_line in lines & theirs and not _shared(claim, mine)
        ]
    return found


def _lines(account: Account, registration: Registration) -> set[str]:
    """What the deal's result is about: the lines that it won or may win, else those that it had."""
    claims = account.of_registration(registration.id)
    return {c.product_line for c in claims if c.state == "won" or c.state in ACTIVE} or {
        c.product_line for c in claims if c.state not in NEVER_SOLD
    }


def _shared(claim: Claim, mine: Iterable[Claim]) -> bool:
    return any(
        own.co_holds == claim.id
        or claim.co_holds == own.id
        or (own.co_holds is not None and own.co_holds == claim.co_holds)
        for own in mine
    )

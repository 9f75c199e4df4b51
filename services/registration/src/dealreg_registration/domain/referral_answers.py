"""What follows when a referral is accepted, declined, consented to, or left unanswered.

Taken by nobody, it is offered to the next who covers the account; when all were asked, the referrer's
claim is decided again with its old place, and its partner counts as in territory (policy).
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Literal

from dealreg_registration.domain.account import Account, Claim, Registration
from dealreg_registration.domain.cases import Meetings
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.decide import Decision, decide
from dealreg_registration.domain.due import Due, Timeline
from dealreg_registration.domain.filing import NewId, carry_out_again, decide_described, file
from dealreg_registration.domain.handover_errors import (
    NotEligible,
    NothingReferred,
    ReferralAnswered,
    ReferralNotFound,
)
from dealreg_registration.domain.referral import Referral, ReferralMoved, derived_id
from dealreg_registration.domain.referring import asked

LAPSE_RANK = 2


def referral_lapses(account: Account, _timeline: Timeline) -> Iterator[Due]:
    """An offer that nobody answers lapses at its instant: [offered, due)."""
    for referral in account.referrals.values():
        if referral.pending:
            yield Due(referral.due_at, account.claims[referral.claim_id], LAPSE_RANK, _lapse)


def decline(account: Account, referral_id: str, context: Context) -> Referral:
    """The target does not want it. Raises ``ReferralNotFound`` or ``ReferralAnswered``."""
    referral = _pending(account, referral_id)
    _return(account, referral, context, "declined")
    return account.referrals[referral_id]


def accept(
    account: Account,
    referral_id: str,
    registration: Registration | None,
    context: Context,
    new_id: NewId,
) -> tuple[Referral, Registration | None, Decision | None]:
    """The target takes it: ``registration`` is its own, decided now; None for direct.

    Refuses with ``NotEligible`` what rule 1 would reject, so that a target can mend it in time.
    """
    referral = _pending(account, referral_id)
    lines = [referral.product_line]
    own: Registration | None = None
    taken: Claim | None = None
    decision: Decision | None = None
    if registration is not None:
        line = decide(registration, lines, account, context).lines[0]
        if line.outcome == "rejected":
            raise NotEligible(" ".join(line.reasons))
        decision = file(account, registration, lines, context, new_id)
        own = account.registrations[registration.id]
        taken = account.of_registration(own.id)[0]
    referral = replace(
        referral,
        state="accepted",
        decided_at=context.now,
        taken_registration_id=taken.registration_id if taken else None,
        taken_claim_id=taken.id if taken else None,
    )
    account.referrals[referral.id] = referral
    account.journal.append(ReferralMoved((referral,), "accepted", context.now))
    return referral, own, decision


def pending(account: Account, referral_id: str) -> Referral:
    """The offer, if it may still be answered. Raises as ``decline`` does."""
    return _pending(account, referral_id)


def consent(account: Account, registration_id: str, at: datetime) -> None:
    """Its details may pass to those to whom it is offered now, or who took it; not to later targets.

    Consenting again changes nothing. Raises ``NothingReferred``.
    """
    mine = [
        referral
        for referral in account.referrals.values()
        if referral.registration_id == registration_id and referral.state in ("offered", "accepted")
    ]
    if not mine:
        raise NothingReferred("Nothing of this registration is offered to anyone now.")
    by_target: dict[tuple[str, str], list[Referral]] = {}
    for referral in mine:
        if referral.consent_at is None:
            told = replace(referral, consent_at=at)
            account.referrals[told.id] = told
            by_target.setdefault((told.target_kind, told.target_id), []).append(told)
    for referrals in by_target.values():
        account.journal.append(ReferralMoved(tuple(referrals), "consented", at))


def _lapse(account: Account, claim: Claim, timeline: Timeline, at: datetime) -> None:
    plan = timeline.book.at(at)
    referral = next(r for r in account.referrals.values() if r.claim_id == claim.id and r.pending)
    if plan is None:  # no plan begins so late that an offer is older than it
        raise LookupError(f"a referral lapses at {at}, when no plan was in force")
    _return(account, referral, Context(plan, timeline.standing, at), "lapsed")


def _return(
    account: Account, referral: Referral, context: Context, step: Literal["declined", "lapsed"]
) -> None:
    """Untaken: offer it to the next, or decide the referrer's claim again in its old place."""
    referral = replace(referral, state=step, decided_at=context.now)
    account.referrals[referral.id] = referral
    account.journal.append(ReferralMoved((referral,), step, context.now))
    claim = account.claims[referral.claim_id]
    registration = account.registrations[claim.registration_id]
    decision, inputs = decide_described(
        registration,
        [claim.product_line],
        account,
        context,
        again=True,
        asked=asked(account, claim),
    )

    def ids(prefix: str) -> str:
        return derived_id(prefix, referral.id)

    meetings = Meetings(account, context.plan, ids, context.now)
    what = "was declined" if step == "declined" else "was not answered in time"
    carry_out_again(
        account,
        claim,
        decision,
        inputs,
        context,
        meetings,
        "referral_returned",
        lead=(f"Your referral {what}.",),
    )
    meetings.close()


def _pending(account: Account, referral_id: str) -> Referral:
    referral = account.referrals.get(referral_id)
    if referral is None:
        raise ReferralNotFound("No such referral.")
    if not referral.pending:
        raise ReferralAnswered(
            "This referral has lapsed."
            if referral.state == "lapsed"
            else f"This referral is {referral.state}; it cannot be answered any more."
        )
    return referral

"""The target of a referral accepts or declines it; staff may for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from dealreg_registration.commands import Actor, Answer, IdempotencyKey, Target, Work
from dealreg_registration.domain.account import DealType, Registration
from dealreg_registration.domain.decide import amount_in_base
from dealreg_registration.domain.handover_errors import DetailsNeeded, ReferralNotFound
from dealreg_registration.domain.referral import Referral
from dealreg_registration.domain.referral_answers import accept, decline, pending
from dealreg_registration.receipting import Draft, columns, drafted_view
from dealreg_registration.referral_views import answered_view
from dealreg_registration.views import encode, registration_view
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.ids import new_id


@dataclass(frozen=True, slots=True)
class DeclineReferral:
    """The command. ``registration_id`` is the referring one."""

    referral_id: str
    registration_id: str
    actor: Actor
    correlation_id: str
    idempotency: IdempotencyKey | None = None

    @property
    def target(self) -> Target:
        return Target(registration_id=self.registration_id)

    def run(self, work: Work) -> Answer:
        _check_target(work, self.referral_id, self.actor)
        referral = decline(work.account, self.referral_id, work.context)
        crashpoint("referral.declined")
        return Answer(200, encode(answered_view(work.account, referral)))


@dataclass(frozen=True, slots=True)
class AcceptReferral:
    """The command. What is None is the referrer's, once it has consented.

    ``new_registration_id`` and ``receipt`` are for the target's own registration.
    """

    referral_id: str
    registration_id: str
    actor: Actor
    new_registration_id: str
    receipt: Draft
    correlation_id: str
    amount: tuple[Decimal, str] | None = None
    close_date: date | None = None
    deal_type: DealType | None = None
    contacts: tuple[Mapping[str, str | None], ...] = ()
    idempotency: IdempotencyKey | None = None

    @property
    def target(self) -> Target:
        return Target(registration_id=self.registration_id)

    def run(self, work: Work) -> Answer:
        account = work.account
        _check_target(work, self.referral_id, self.actor)
        referral = pending(account, self.referral_id)
        own = self._registration(work, referral) if referral.target_kind == "partner" else None
        referral, own, decision = accept(account, referral.id, own, work.context, new_id)
        view: dict[str, Any] = {"referral": answered_view(account, referral)}
        if own is None or decision is None:
            return Answer(200, encode(view))
        owner = decision.owner
        work.details[own.id] = {
            "filed_by": "staff" if self.actor.staff else "partner",
            "external_reference": None,
            "evidence": [],
            "matched_by": "referral",
            "owner": [owner.kind, owner.partner_id, owner.direct_id],
            **columns(self.receipt, work.seals[own.id]),
            "plan_number": work.context.plan.number,
        }
        for position, contact in enumerate(self.contacts):
            work.new_rows.setdefault("registration_contact", []).append(
                {"registration_id": own.id, "position": position, **contact}
            )
        view["registration"] = registration_view(account, own, decision, self.actor) | {
            "receipt": drafted_view(
                self.receipt, work.seals[own.id], own.filed_at, work.context.plan.number
            )
        }
        crashpoint("referral.accepted")
        return Answer(201, encode(view))

    def _registration(self, work: Work, referral: Referral) -> Registration:
        """The same deal at the same place, in the target's own name."""
        source, context = work.registration(self.registration_id), work.context
        passed = referral.consent_at is not None
        amount = self.amount or ((source.amount, source.currency) if passed else None)
        close_date = self.close_date or (source.close_date if passed else None)
        if amount is None or close_date is None:
            raise DetailsNeeded(
                "The referring partner has not let its details pass: give `amount` and "
                "`close_date` yourself."
            )
        return Registration(
            id=self.new_registration_id,
            partner_id=referral.target_id,
            account_name=source.account_name,
            filed_at=context.now,
            amount=amount[0],
            currency=amount[1],
            amount_base=amount_in_base(context.plan, *amount),
            close_date=close_date,
            deal_type=self.deal_type or (source.deal_type if passed else "new"),
            place_of_use=source.place_of_use,
            tags=source.tags,
            reseller_id=None,
            distributor_id=None,
            market_region=None,
            market_segment=None,
            last_activity_at=context.now,
            referred_by=referral.referrer_id,
        )


def _check_target(work: Work, referral_id: str, actor: Actor) -> None:
    """The target itself, or staff. Anybody else finds nothing."""
    referral = work.account.referrals.get(referral_id)
    if referral is None or not (
        actor.staff
        or (referral.target_kind == "partner" and referral.target_id == actor.partner_id)
    ):
        raise ReferralNotFound("No such referral.")

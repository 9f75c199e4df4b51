"""Open a case on purpose: a partner appeals, or staff say that direct sales are there already."""

from dataclasses import dataclass

from dealreg_registration.case_views import party_view
from dealreg_registration.commands import Actor, Answer, IdempotencyKey, Target, Work
from dealreg_registration.domain.appealing import appeal, open_direct_engagement
from dealreg_registration.handlers.on_case import answer_with, new_entry, write_entry
from dealreg_registration.views import encode
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.ids import new_id


@dataclass(frozen=True, slots=True)
class AppealClaim:
    """The partner's appeal. ``known_evidence`` is what the registration was filed with."""

    registration_id: str
    actor: Actor
    correlation_id: str
    product_line: str | None
    text: str
    evidence: tuple[str, ...]
    known_evidence: tuple[str, ...] = ()
    idempotency: IdempotencyKey | None = None

    @property
    def target(self) -> Target:
        return Target(registration_id=self.registration_id)

    def run(self, work: Work) -> Answer:
        registration = work.registration(self.registration_id)
        case = appeal(
            work.account,
            registration,
            self.product_line,
            self.evidence,
            self.known_evidence,
            work.context,
            new_id,
        )
        text = "\n\n".join([self.text, *self.evidence])
        write_entry(work, new_entry(), case.id, "appeal", text, registration.id)
        claims = [work.account.claims[claim_id] for claim_id in case.claim_ids]
        view = party_view(case, claims, registration.partner_id, {})
        crashpoint("appeal.opened")
        return Answer(201, encode(view), version=registration.version)


@dataclass(frozen=True, slots=True)
class OpenDirectEngagement:
    """Direct sales are at this customer already; ``reason`` says how staff know."""

    registration_id: str
    actor: Actor
    correlation_id: str
    reason: str
    idempotency: IdempotencyKey | None = None

    @property
    def target(self) -> Target:
        return Target(registration_id=self.registration_id)

    def run(self, work: Work) -> Answer:
        registration = work.registration(self.registration_id)
        case = open_direct_engagement(work.account, registration, work.context, new_id)
        write_entry(work, new_entry(), case.id, "reason", self.reason, registration.id)
        crashpoint("case.opened")
        return answer_with(work, case, 201)

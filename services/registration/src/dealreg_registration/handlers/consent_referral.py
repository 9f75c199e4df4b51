"""The referrer lets its details pass to those to whom its registration is referred."""

from dataclasses import dataclass

from dealreg_registration.commands import Actor, Answer, IdempotencyKey, Target, Work
from dealreg_registration.domain.referral_answers import consent
from dealreg_registration.views import encode, present_view
from dealreg_shared.crashpoint import crashpoint


@dataclass(frozen=True, slots=True)
class ConsentToReferral:
    """The command. ``version`` is the registration's as the caller saw it, if it said so."""

    registration_id: str
    actor: Actor
    correlation_id: str
    version: int | None = None
    idempotency: IdempotencyKey | None = None

    @property
    def target(self) -> Target:
        return Target(registration_id=self.registration_id)

    def run(self, work: Work) -> Answer:
        registration = work.registration(self.registration_id)
        consent(work.account, registration.id, work.context.now)
        crashpoint("referral.consented")
        return Answer(
            200,
            encode(
                present_view(work.account, registration, work.context, self.actor, work.reasons)
            ),
            version=registration.version,
        )

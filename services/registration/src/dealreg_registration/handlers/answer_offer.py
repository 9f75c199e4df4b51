"""A partner takes over a lost deal that is offered to it, or lets it pass."""

from dataclasses import dataclass
from typing import Literal

from dealreg_registration.commands import Answer, Work
from dealreg_registration.domain.filing import touch
from dealreg_registration.domain.offers import accept_offer, decline_offer
from dealreg_registration.handlers.on_registration import OnRegistration
from dealreg_shared.crashpoint import crashpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerOffer(OnRegistration):
    """The command; about the lines that are offered."""

    answer_is: Literal["accept", "decline"]

    def run(self, work: Work) -> Answer:
        registration = self.opened(work)
        claims = self.claims(work)
        if not self.product_lines:
            claims = [claim for claim in claims if claim.offered]
        if self.answer_is == "accept":
            accept_offer(work.account, claims, work.context)
        else:
            decline_offer(work.account, claims, work.book, work.context)
        touch(work.account, registration, work.context)
        crashpoint("offer.answered")
        return self.answer(work)

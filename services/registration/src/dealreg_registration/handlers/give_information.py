"""A partner answers what staff wanted to know."""

from dataclasses import dataclass

from dealreg_registration.commands import Answer, Work
from dealreg_registration.domain.filing import touch
from dealreg_registration.domain.information import give
from dealreg_registration.handlers.on_registration import OnRegistration
from dealreg_shared.crashpoint import crashpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveInformation(OnRegistration):
    """The command; about the lines of which information is wanted."""

    text: str
    evidence: tuple[str, ...] = ()

    def run(self, work: Work) -> Answer:
        registration = self.opened(work)
        claims = self.claims(work)
        if not self.product_lines:
            claims = [claim for claim in claims if claim.flags.information_due is not None]
        give(work.account, claims, work.context)
        self.write(work, "information_given", claims, self.text, self.evidence)
        touch(work.account, registration, work.context)
        crashpoint("information.given")
        return self.answer(work)

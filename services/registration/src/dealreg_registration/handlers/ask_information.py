"""Staff want to know something of a partner before they go on."""

from dataclasses import dataclass

from dealreg_registration.commands import Answer, Work
from dealreg_registration.domain.information import want
from dealreg_registration.handlers.on_registration import OnRegistration
from dealreg_shared.crashpoint import crashpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class AskInformation(OnRegistration):
    """The command; about the live and open lines of which nothing is wanted yet."""

    question: str

    def run(self, work: Work) -> Answer:
        self.opened(work)
        claims = self.claims(work)
        if not self.product_lines:
            askable = [claim for claim in claims if claim.live or claim.state == "open"]
            claims = [c for c in askable if c.flags.information_due is None] or askable
        due = want(work.account, claims, self.question, work.context)
        self.write(work, "information_wanted", claims, self.question, due_at=due)
        self.count(work)
        crashpoint("information.asked")
        return self.answer(work)

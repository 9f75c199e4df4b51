"""A partner asks for more time; staff grant it or not."""

from dataclasses import dataclass
from typing import Literal

from dealreg_registration.commands import Answer, Target, Work
from dealreg_registration.domain.authority import require_office
from dealreg_registration.domain.extension import (
    ask_extension,
    grant_extension,
    refuse_extension,
)
from dealreg_registration.domain.filing import touch
from dealreg_registration.handlers.on_registration import OnRegistration
from dealreg_shared.crashpoint import crashpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class AskExtension(OnRegistration):
    """The command; about the protected lines that were not extended before."""

    evidence: tuple[str, ...]
    text: str | None = None

    def run(self, work: Work) -> Answer:
        registration = self.opened(work)
        claims = self.claims(work)
        if not self.product_lines:
            holding = [claim for claim in claims if claim.holds]
            protected = [claim for claim in holding if claim.state == "protected"]
            free = [claim for claim in protected if claim.flags.extension_asked is None]
            claims = free or protected or holding
        ask_extension(work.account, claims, work.context)
        self.write(work, "extension_asked", claims, self.text, self.evidence)
        touch(work.account, registration, work.context)
        crashpoint("extension.asked")
        return self.answer(work)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideExtension(OnRegistration):
    """The command; about the lines with a pending request. A refusal has a reason."""

    decision: Literal["grant", "refuse"]
    reason: str | None = None

    @property
    def target(self) -> Target:
        return Target(registration_id=self.registration_id, by_office=True)

    def run(self, work: Work) -> Answer:
        registration = self.opened(work)
        require_office(
            [(registration.market_region, registration.market_segment)],
            work.context.plan,
            self.actor.role,
            work.persons,
            "Extensions",
        )
        claims = self.claims(work)
        if not self.product_lines:
            claims = [claim for claim in claims if claim.flags.extension_asked is not None]
        if self.decision == "grant":
            grant_extension(work.account, claims, work.context)
            self.write(work, "extension_granted", claims, self.reason)
        else:
            refuse_extension(work.account, claims, self.reason or "", work.context)
            self.write(work, "extension_refused", claims, self.reason)
        self.count(work)
        crashpoint("extension.decided")
        return self.answer(work)

"""The partner of a contested claim objects: the case opens now."""

from dataclasses import dataclass

from dealreg_registration.commands import Answer, Work
from dealreg_registration.domain.objecting import object_to
from dealreg_registration.handlers.on_registration import OnRegistration
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.ids import new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectToOverlap(OnRegistration):
    """The command. What was written is read by staff, beside the registration."""

    reason: str

    def run(self, work: Work) -> Answer:
        registration = self.opened(work)
        claims = self.claims(work)
        object_to(work.account, registration, claims, work.context, new_id)
        self.write(work, "objection", claims, self.reason)
        crashpoint("objection.decided")
        return self.answer(work)

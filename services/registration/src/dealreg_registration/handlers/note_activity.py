"""A partner says that it still works on a deal. Any update of the registration counts as well."""

from dataclasses import dataclass

from dealreg_registration.commands import Answer, Work
from dealreg_registration.domain.errors import NothingActive
from dealreg_registration.domain.filing import touch
from dealreg_registration.handlers.on_registration import OnRegistration
from dealreg_shared.crashpoint import crashpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteActivity(OnRegistration):
    """The command; about the whole registration."""

    note: str

    def run(self, work: Work) -> Answer:
        registration = self.opened(work)
        claims = self.claims(work)
        if not claims:
            raise NothingActive("Nothing of this registration is live or open any more.")
        self.write(work, "activity", claims, self.note)
        touch(work.account, registration, work.context)
        crashpoint("activity.noted")
        return self.answer(work)

"""Edit amount, close date and contacts of a registration; add facts that were not known."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from dealreg_registration.commands import Actor, Answer, IdempotencyKey, Target, Work
from dealreg_registration.domain.amending import amend
from dealreg_registration.domain.errors import VersionConflict
from dealreg_registration.domain.facts import Facts
from dealreg_registration.views import encode, present_view
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.ids import new_id


@dataclass(frozen=True, slots=True)
class AmendRegistration:
    """The command. None leaves a field as it is; ``contacts`` replace all contacts."""

    registration_id: str
    actor: Actor
    correlation_id: str
    version: int
    amount: tuple[Decimal, str] | None = None
    close_date: date | None = None
    facts: Facts | None = None
    contacts: tuple[Mapping[str, str | None], ...] | None = None
    idempotency: IdempotencyKey | None = None

    @property
    def target(self) -> Target:
        return Target(registration_id=self.registration_id)

    def run(self, work: Work) -> Answer:
        registration = work.registration(self.registration_id)
        if self.version != registration.version:
            raise VersionConflict("The registration changed since you read it.")
        registration = amend(
            work.account,
            registration,
            work.context,
            new_id,
            amount=self.amount,
            close_date=self.close_date,
            facts=self.facts,
            by="staff" if self.actor.staff else "partner",
            also_changed=("contacts",) if self.contacts is not None else (),
        )
        if self.contacts is not None:
            work.replaced_contacts[registration.id] = self.contacts
        crashpoint("amend.decided")
        return Answer(
            200,
            encode(
                present_view(work.account, registration, work.context, self.actor, work.reasons)
            ),
            version=registration.version,
        )

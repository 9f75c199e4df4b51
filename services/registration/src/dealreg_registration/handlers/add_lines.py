"""Add product lines to a registration: new claims with new places."""

from dataclasses import dataclass

from dealreg_registration.commands import Actor, Answer, IdempotencyKey, Target, Work
from dealreg_registration.domain.errors import VersionConflict
from dealreg_registration.domain.filing import add_lines, resolve_lines
from dealreg_registration.views import encode, present_view
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.ids import new_id


@dataclass(frozen=True, slots=True)
class AddLines:
    """The command."""

    registration_id: str
    product_lines: tuple[str, ...]
    actor: Actor
    correlation_id: str
    version: int | None = None
    idempotency: IdempotencyKey | None = None

    @property
    def target(self) -> Target:
        return Target(registration_id=self.registration_id)

    def run(self, work: Work) -> Answer:
        registration = work.registration(self.registration_id)
        if self.version is not None and self.version != registration.version:
            raise VersionConflict("The registration changed since you read it.")
        lines = resolve_lines(work.context, self.product_lines)
        registration, _ = add_lines(work.account, registration, lines, work.context, new_id)
        crashpoint("lines.decided")
        return Answer(
            201,
            encode(
                present_view(work.account, registration, work.context, self.actor, work.reasons)
            ),
            version=registration.version,
        )

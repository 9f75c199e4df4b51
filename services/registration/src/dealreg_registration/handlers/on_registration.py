"""What commands on some or all claims of one registration share: version, lines, correspondence.

Must not decide anything.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from dealreg_registration.commands import Actor, Answer, IdempotencyKey, Target, Work
from dealreg_registration.domain.account import ACTIVE, Claim, Registration
from dealreg_registration.domain.errors import UnknownLine, VersionConflict
from dealreg_registration.views import encode, present_view


@dataclass(frozen=True, slots=True, kw_only=True)
class OnRegistration(ABC):
    """``product_lines`` are the lines or SKUs that are meant; none means all that it can be about.

    ``version`` is the one the caller saw; None if it did not say.
    """

    registration_id: str
    actor: Actor
    correlation_id: str
    product_lines: tuple[str, ...] = ()
    version: int | None = None
    idempotency: IdempotencyKey | None = None

    @property
    def target(self) -> Target:
        return Target(registration_id=self.registration_id)

    @abstractmethod
    def run(self, work: Work) -> Answer:
        """Carry it out."""

    def opened(self, work: Work) -> Registration:
        """The registration. Raises ``VersionConflict``."""
        registration = work.registration(self.registration_id)
        if self.version is not None and self.version != registration.version:
            raise VersionConflict("The registration changed since you read it.")
        return registration

    def claims(self, work: Work) -> list[Claim]:
        """Its live and pending claims on the lines meant. Raises ``UnknownLine``."""
        active = {
            claim.product_line: claim
            for claim in work.account.of_registration(self.registration_id)
            if claim.state in ACTIVE
        }
        if not self.product_lines:
            return list(active.values())
        lines = [work.context.plan.line_of.get(name, name) for name in self.product_lines]
        for line in lines:
            if line not in active:
                raise UnknownLine(
                    f"Product line {line!r} is no live or pending part of this registration."
                )
        return [active[line] for line in dict.fromkeys(lines)]

    def count(self, work: Work) -> Registration:
        """Count the version, where the vendor acts: that is no activity of the partner."""
        registration = work.registration(self.registration_id)
        after = replace(registration, version=registration.version + 1)
        work.account.registrations[after.id] = after
        return after

    def write(
        self,
        work: Work,
        kind: str,
        claims: Sequence[Claim],
        text: str | None = None,
        evidence: Sequence[str] = (),
        due_at: datetime | None = None,
    ) -> None:
        """Keep what was written, for both sides to read."""
        work.new_rows.setdefault("correspondence", []).append(
            {
                "registration_id": self.registration_id,
                "at": work.context.now,
                "kind": kind,
                "side": "staff" if self.actor.staff else "partner",
                "actor": self.actor.id,
                "product_lines": [claim.product_line for claim in claims],
                "text": text,
                "evidence": list(evidence),
                "due_at": due_at,
            }
        )

    def answer(self, work: Work) -> Answer:
        """The registration as it stands now."""
        registration = work.registration(self.registration_id)
        return Answer(
            200,
            encode(
                present_view(work.account, registration, work.context, self.actor, work.reasons)
            ),
            version=registration.version,
        )

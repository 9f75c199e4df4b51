"""Withdraw, win, lose or revoke a registration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dealreg_registration.commands import Actor, Answer, IdempotencyKey, Target, Work
from dealreg_registration.domain.account import Claim, Registration
from dealreg_registration.domain.contradicting import contradict, rival_wins
from dealreg_registration.domain.ending import report_result, revoke, withdraw
from dealreg_registration.domain.errors import VersionConflict
from dealreg_registration.views import encode, present_view
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.ids import new_id

Act = Literal["withdraw", "win", "lose", "revoke"]

_RESULT: Mapping[Act, Literal["won", "lost"]] = {"win": "won", "lose": "lost"}


@dataclass(frozen=True, slots=True)
class EndRegistration:
    """The command. ``version`` is the one the caller saw; None if it did not say."""

    act: Act
    registration_id: str
    actor: Actor
    correlation_id: str
    reason: str | None = None
    version: int | None = None
    idempotency: IdempotencyKey | None = None

    @property
    def target(self) -> Target:
        return Target(registration_id=self.registration_id, whole=self.act == "win")

    def run(self, work: Work) -> Answer:
        account, book, context = work.account, work.book, work.context
        registration = work.registration(self.registration_id)
        if self.version is not None and self.version != registration.version:
            raise VersionConflict("The registration changed since you read it.")
        if self.act == "withdraw":
            registration = withdraw(account, registration, book, context)
        elif self.act == "revoke":
            registration = revoke(account, registration, book, context, self.reason or "")
        elif registration.result not in (None, _RESULT[self.act]):
            return self._contradicted(work, registration, ())
        elif self.act == "win" and (rivals := self._rivals(work, registration)):
            return self._contradicted(work, registration, rivals)
        else:
            registration = report_result(
                account,
                registration,
                book,
                context,
                _RESULT[self.act],
                self.reason,
            )
        crashpoint("end.decided")
        return Answer(
            200,
            encode(present_view(account, registration, work.context, self.actor, work.reasons)),
            version=registration.version,
        )

    def _rivals(self, work: Work, registration: Registration) -> list[Claim]:
        """Other partners' wins on its lines, which the first report of this one contradicts."""
        return [] if registration.result is not None else rival_wins(work.account, registration)

    def _contradicted(
        self, work: Work, registration: Registration, rivals: Sequence[Claim]
    ) -> Answer:
        """Nothing is recorded; a person looks at it."""
        result = _RESULT[self.act]
        contradict(work.account, registration, result, work.context, new_id, rivals)
        view = present_view(work.account, registration, work.context, self.actor, work.reasons)
        crashpoint("contradiction.decided")
        return Answer(202, encode(view), version=registration.version)

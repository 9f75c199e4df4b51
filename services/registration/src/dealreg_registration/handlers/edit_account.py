"""Staff correct an account's facts, or say which account is its parent."""

from dataclasses import dataclass

from dealreg_registration.commands import Actor, Answer, IdempotencyKey, Target, Work
from dealreg_registration.domain.authority import require_office
from dealreg_registration.domain.entries import AccountEdited
from dealreg_registration.domain.errors import VersionConflict
from dealreg_registration.domain.facts import Facts, Location, changed_facts, merge
from dealreg_registration.domain.filing import decide_again
from dealreg_registration.views import account_view, encode
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.ids import new_id


@dataclass(frozen=True, slots=True)
class EditAccount:
    """The command. None leaves a thing as it is; ``version`` is the account's as the caller saw it."""

    account_id: str
    actor: Actor
    correlation_id: str
    facts: Facts | None = None
    parent_id: str | None = None
    version: int | None = None
    idempotency: IdempotencyKey | None = None

    @property
    def target(self) -> Target:
        return Target(account_id=self.account_id, parent_id=self.parent_id, by_office=True)

    def run(self, work: Work) -> Answer:
        account, before = work.account, work.account.facts
        if self.actor.role != "admin":
            # As the account stands: who corrects its place hands it to whoever that place belongs to.
            market = work.context.plan.market(Location(), before)
            persons = work.persons
            require_office([market], work.context.plan, self.actor.role, persons, "Corrections")
        if self.version is not None and self.version != account.version:
            raise VersionConflict("The account changed since you read it.")
        account.version += 1
        if self.parent_id is not None:
            account.parent_id = self.parent_id
            account.parent_keys = work.parent_keys
        if self.facts is not None:
            account.facts, account.sources, _ = merge(
                before, self.facts, by="staff", sources=account.sources
            )
        account.journal.append(
            AccountEdited(
                account.id,
                work.context.now,
                tuple(changed_facts(before, account.facts)),
                self.parent_id,
            )
        )
        if self.facts is not None or self.parent_id is not None:
            decide_again(account, work.context, new_id, amended=None)
        crashpoint("account.edited")
        return Answer(200, encode(account_view(account, work.created_at)), account.version)

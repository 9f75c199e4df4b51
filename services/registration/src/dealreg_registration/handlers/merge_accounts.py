"""Staff say that two accounts are one; the other becomes part of the one that is named first."""

from dataclasses import dataclass

from dealreg_registration.commands import Actor, Answer, Target, Work
from dealreg_registration.domain.handover_errors import NotTwoAccounts
from dealreg_registration.domain.merging import merge_accounts
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.ids import new_id


@dataclass(frozen=True, slots=True)
class MergeAccounts:
    """The command. It is alone in its batch: what others name is another account afterwards."""

    account_id: str
    merged_id: str
    actor: Actor
    correlation_id: str
    reason: str
    idempotency: None = None

    @property
    def target(self) -> Target:
        return Target(account_id=self.account_id, merged_id=self.merged_id)

    def run(self, work: Work) -> Answer:
        other = work.other
        if other is None or other.id == work.account.id or other.merged_into is not None:
            raise NotTwoAccounts("The other account must be another one, not merged yet.")
        moved = merge_accounts(work.account, other, work.context, new_id, reason=self.reason)
        work.merges.append((work.account.id, other.id, moved))
        crashpoint("accounts.merged")
        return Answer(204, b"")

"""Staff say that two accounts are one; the other becomes part of the one that is named first."""

from collections.abc import Iterator
from dataclasses import dataclass

from dealreg_registration.commands import Actor, Answer, IdempotencyKey, Target, Work
from dealreg_registration.domain.account import Account
from dealreg_registration.domain.authority import require_office
from dealreg_registration.domain.errors import VersionConflict
from dealreg_registration.domain.facts import Location, merge
from dealreg_registration.domain.handover_errors import NotTwoAccounts
from dealreg_registration.domain.merging import merge_accounts
from dealreg_registration.domain.plan import Plan
from dealreg_registration.views import account_view, encode
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.ids import new_id


@dataclass(frozen=True, slots=True)
class MergeAccounts:
    """The command. It is alone in its batch: what others name is another account afterwards.

    ``seen`` are the versions of the account that the caller saw; None is any.
    """

    account_id: str
    merged_id: str
    actor: Actor
    correlation_id: str
    reason: str
    seen: frozenset[int] | None = None
    idempotency: IdempotencyKey | None = None

    @property
    def target(self) -> Target:
        return Target(account_id=self.account_id, merged_id=self.merged_id, by_office=True)

    def run(self, work: Work) -> Answer:
        account, other, plan = work.account, work.other, work.context.plan
        if other is None or other.id == account.id or other.merged_into is not None:
            raise NotTwoAccounts("The other account must be another one, not merged yet.")
        markets = set(_markets(account, other, plan))
        require_office(markets, plan, self.actor.role, work.persons, "Merges")
        if self.seen is not None and account.version not in self.seen:
            raise VersionConflict("The account changed since you read it.")
        moved = merge_accounts(
            account, other, work.context, new_id, children=work.children, reason=self.reason
        )
        work.merges.append((account.id, other.id, moved))
        crashpoint("accounts.merged")
        return Answer(200, encode(account_view(account, work.created_at)), account.version)


def _markets(one: Account, other: Account, plan: Plan) -> Iterator[tuple[str | None, str | None]]:
    """The markets of both. What is unknown of the one is what is known of the other, as it will be."""
    for account, further in ((one, other), (other, one)):
        facts, _, _ = merge(account.facts, further.facts, by="partner", sources={})
        yield plan.market(Location(), facts)

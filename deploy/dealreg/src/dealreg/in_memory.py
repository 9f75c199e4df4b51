"""Files deals through the pure core, in memory: no database, no clock, no network.

``dealreg explain`` shows what it says. It goes the account writer's way (find the account by certain
keys, settle, decide, keep the claims) but stores nothing. Must not decide anything itself.
"""

from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from dealreg_registration.domain.account import Account, Registration
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.decide import Decision
from dealreg_registration.domain.facts import Disagreement, merge
from dealreg_registration.domain.filing import file, resolve_lines
from dealreg_registration.domain.identity import Resolution, resolve
from dealreg_registration.domain.plan import Plan, PlanBook, Standing
from dealreg_registration.domain.settle import settle
from dealreg_registration.filing import Filing


@dataclass(frozen=True, slots=True)
class Tried:
    """What one filing led to. ``account`` is the account after it."""

    registration: Registration
    decision: Decision
    account: Account
    resolution: Resolution


@dataclass(slots=True)
class InMemory:
    """Accounts in memory under one plan. Ids are numbers in order of making: the same input, the same
    output."""

    plan: Plan
    accounts: dict[str, Account] = field(default_factory=dict)
    _holder_of: dict[str, str] = field(default_factory=dict)
    _count: "count[int]" = field(default_factory=lambda: count(1))

    def _new_id(self, prefix: str) -> str:
        return f"{prefix}_{next(self._count)}"

    def file(self, filing: Filing, now: datetime) -> Tried:
        """Decide one filing at ``now``; keep its claims for those that follow."""
        keys = filing.keys()
        resolution = resolve(
            keys, self._holder_of, {id_: account.keys for id_, account in self.accounts.items()}
        )
        account, disagreements = self._account(filing, resolution)
        settle(account, PlanBook([self.plan]), Standing(), now)
        context = Context(self.plan, Standing(), now)
        registration = filing.registration(self._new_id("reg"), account, context)
        decision = file(
            account,
            registration,
            resolve_lines(context, filing.product_lines),
            context,
            self._new_id,
            disagreements=disagreements,
            new_evidence=bool(filing.evidence),
        )
        return Tried(registration, decision, account, resolution)

    def _account(
        self, filing: Filing, resolution: Resolution
    ) -> tuple[Account, list[Disagreement]]:
        disagreements: list[Disagreement] = []
        if resolution.account_id is None:
            account = Account(
                id=self._new_id("acc"),
                name=filing.account_name,
                facts=filing.facts,
                sources={},
                keys=frozenset(),
            )
            self.accounts[account.id] = account
        else:
            account = self.accounts[resolution.account_id]
            account.facts, account.sources, disagreements = merge(
                account.facts, filing.facts, by="partner", sources=account.sources
            )
        account.keys |= frozenset(resolution.attach)
        for key in resolution.attach:
            self._holder_of[key] = account.id
        return account, disagreements

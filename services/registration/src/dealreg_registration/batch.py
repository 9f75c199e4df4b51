"""The commands of one batch, run one after the other on the accounts in memory, and what each leaves to
be written: rows, events, audit. Reads and writes nothing itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dealreg_registration import store
from dealreg_registration.commands import SYSTEM, Answer, Command, Work
from dealreg_registration.domain.account import Account
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.errors import RegistrationNotFound
from dealreg_registration.domain.handover_errors import MergedAway
from dealreg_registration.domain.identity import Resolution
from dealreg_registration.domain.merging import Moved
from dealreg_registration.domain.plan import PlanBook
from dealreg_registration.domain.precedents import Precedent
from dealreg_registration.domain.settle import settle
from dealreg_registration.events import events_for, with_last_version
from dealreg_registration.finding import children_of, new_account, parent_keys_of
from dealreg_registration.journal import audit_rows
from dealreg_shared.outbox import Outgoing
from dealreg_shared.receipts import Seal


class Batch:
    """The commands of one transaction, run one after the other in memory."""

    def __init__(
        self, book: PlanBook, context: Context, delegators: Mapping[str, frozenset[str]]
    ) -> None:
        self.book = book
        self.context = context
        self.delegators = delegators
        self.touched: set[str] = set()
        self.outgoing: dict[str, list[Outgoing]] = {}
        self.details: dict[str, Any] = {}
        self.new_rows: dict[str, list[dict[str, Any]]] = {}
        self.replaced_contacts: dict[str, Any] = {}
        self.suspected: set[frozenset[str]] = set()
        self.audit: list[dict[str, Any]] = []
        self.merges: list[tuple[str, str, Moved]] = []
        self.seals: Mapping[str, Seal] = {}
        self.precedents: Mapping[str, Sequence[Precedent]] = {}

    def run(
        self,
        command: Command,
        account_id: str | None,
        resolution: Resolution | None,
        loaded: dict[str, store.Loaded],
    ) -> Answer:
        if account_id is None:
            raise RegistrationNotFound("No such registration.")
        for named in (command.target.account_id, command.target.parent_id):
            if named in loaded and (into := loaded[named].account.merged_into) is not None:
                raise MergedAway(f"This account was merged into {into}.")
        if account_id not in loaded and command.target.merged_id is not None:
            raise RegistrationNotFound("No such account.")
        if account_id not in loaded:
            loaded[account_id] = new_account(command, account_id, self.context.now)
        account = loaded[account_id].account
        if resolution is not None and resolution.attach:
            if account.keys:
                account.version += 1
            account.keys |= set(resolution.attach)
        start = len(account.journal)
        settle(account, self.book, self.context.standing, self.context.now)
        settled = len(account.journal)
        self.touched.add(account_id)
        other = loaded.get(command.target.merged_id or "")
        children: list[Account] = []
        if other is not None:
            children = children_of(other.account.id, account_id, loaded)
            for further in (other.account, *children):
                settle(further, self.book, self.context.standing, self.context.now)
        before = {child.id: len(child.journal) for child in children}
        also = loaded.get(resolution.also or "") if resolution is not None else None
        work = Work(
            account=account,
            context=self.context,
            book=self.book,
            actor=command.actor,
            resolution=resolution,
            details=self.details,
            new_rows=self.new_rows,
            replaced_contacts=self.replaced_contacts,
            parent_keys=parent_keys_of(command, loaded),
            suspected=self.suspected,
            created_at=loaded[account_id].created_at,
            reasons=loaded[account_id].reasons,
            also_name=also.account.name if also is not None else None,
            other=None if other is None else other.account,
            children=children,
            merges=self.merges,
            stands_for=self.delegators.get(command.actor.person_id or "", frozenset()),
            seals=self.seals,
            precedents=self.precedents,
        )
        try:
            return command.run(work)
        finally:
            self._note(command, account, start, settled)
            if other is not None and other.account.merged_into == account_id:
                self._merged(command, loaded[account_id], other)
                for child in children:
                    self.touched.add(child.id)
                    self._note(command, child, 0, before[child.id])

    def _note(self, command: Command, account: Account, start: int, settled: int) -> None:
        """Events and audit of what time made of an account, and from ``settled`` on the command."""
        entries = account.journal[start:]
        self.outgoing.setdefault(account.id, []).extend(
            events_for(
                account,
                entries,
                self.context.plan,
                filed_by=command.actor.kind,
                correlation_id=command.correlation_id,
            )
        )
        now = self.context.now
        self.audit += audit_rows(account.journal[start:settled], SYSTEM, now)
        self.audit += audit_rows(account.journal[settled:], command.actor, now)

    def _merged(self, command: Command, survivor: store.Loaded, other: store.Loaded) -> None:
        """The merged account's last events are its own; what it had is the survivor's to write."""
        store.adopt(survivor, other)
        self.touched.add(other.account.id)
        # Steps that time made on it name registrations that are the survivor's by now.
        settled = replace(other.account, registrations=survivor.account.registrations)
        settled.claims, settled.cases = survivor.account.claims, survivor.account.cases
        self.outgoing[other.account.id] = events_for(
            settled,
            other.account.journal,
            self.context.plan,
            filed_by=command.actor.kind,
            correlation_id=command.correlation_id,
        )
        self.audit += audit_rows(other.account.journal[:-1], SYSTEM, self.context.now)
        last = other.event_version + len(self.outgoing[other.account.id])
        for account_id in (survivor.account.id, other.account.id):
            self.outgoing[account_id] = [
                with_last_version(it, last) for it in self.outgoing[account_id]
            ]
        survivor.account.journal[:0] = other.account.journal[:-1]
        other.account.journal.clear()

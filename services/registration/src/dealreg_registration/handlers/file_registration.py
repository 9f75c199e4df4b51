"""File a registration: find or make its account, decide every line, answer with the reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dealreg_registration.commands import Actor, Answer, IdempotencyKey, Target, Work
from dealreg_registration.domain.account import Registration
from dealreg_registration.domain.cases import open_possible_duplicate
from dealreg_registration.domain.facts import Disagreement, merge
from dealreg_registration.domain.filing import decide_again, file, resolve_lines
from dealreg_registration.filing import Filing
from dealreg_registration.receipting import Draft, columns, drafted_view
from dealreg_registration.views import encode, registration_view
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.ids import new_id


@dataclass(frozen=True, slots=True)
class FileRegistration:
    """The command. ``receipt`` is what its registration's receipt will say."""

    filing: Filing
    target: Target
    actor: Actor
    registration_id: str
    receipt: Draft
    correlation_id: str
    idempotency: IdempotencyKey | None = None

    def run(self, work: Work) -> Answer:
        filing, account, context = self.filing, work.account, work.context
        lines = resolve_lines(context, filing.product_lines)
        disagreements: list[Disagreement] = []
        if account.registrations or account.last_place:
            disagreements = self._learn(work, lines)
        registration = filing.registration(self.registration_id, account, context)
        decision = file(
            account,
            registration,
            lines,
            context,
            new_id,
            disagreements=disagreements,
            new_evidence=bool(filing.evidence),
        )
        self._suspect(work, registration)
        work.details[registration.id] = self._details(work, decision.owner)
        for position, contact in enumerate(filing.contacts):
            work.new_rows.setdefault("registration_contact", []).append(
                {"registration_id": registration.id, "position": position, **contact}
            )
        view = registration_view(account, registration, decision, self.actor)
        view["receipt"] = drafted_view(
            self.receipt, work.seals[registration.id], registration.filed_at, context.plan.number
        )
        crashpoint("file.decided")
        return Answer(201, encode(view))

    def _suspect(self, work: Work, registration: Registration) -> None:
        """Ask a person, once for each pair, when the filing's keys name a second account."""
        account, context = work.account, work.context
        found = work.resolution
        if found is None or found.also is None:
            return
        if (pair := frozenset((account.id, found.also))) in work.suspected:
            return
        work.suspected.add(pair)
        open_possible_duplicate(
            account,
            context.plan,
            account.of_registration(registration.id)[0],
            new_id("cnf"),
            context.now,
            other_account_id=found.also,
            other_account_name=work.also_name,
            matched_by=tuple(key for key in (found.matched_by, found.also_by) if key is not None),
        )

    def _learn(self, work: Work, lines: Sequence[str]) -> list[Disagreement]:
        """Take what the filing says of a known account. Earlier open and referred claims come first."""
        account, before = work.account, work.account.facts
        account.facts, account.sources, disagreements = merge(
            before,
            self.filing.facts,
            by="staff" if self.actor.staff else "partner",
            sources=account.sources,
        )
        if account.facts != before:
            account.version += 1
            refiled = {
                claim.id
                for claim in account.active()
                if claim.partner_id == self.filing.partner_id and claim.product_line in lines
            }
            decide_again(account, work.context, new_id, amended=None, but=refiled)
        return disagreements

    def _details(self, work: Work, owner: Any) -> Mapping[str, Any]:
        filing = self.filing
        resolution = work.resolution
        return {
            "filed_by": "staff" if self.actor.staff else "partner",
            "external_reference": filing.external_reference,
            "evidence": list(filing.evidence),
            "matched_by": resolution.matched_by if resolution is not None else None,
            "owner": [owner.kind, owner.partner_id, owner.direct_id],
            **columns(self.receipt, work.seals[self.registration_id]),
            "plan_number": work.context.plan.number,
        }

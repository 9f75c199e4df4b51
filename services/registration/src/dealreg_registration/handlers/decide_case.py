"""Rule on a case: protections, standby, registrations, events, audit and the record, in one go."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dealreg_registration.commands import Actor, Answer, IdempotencyKey, Target, Work
from dealreg_registration.domain.authority import deciding_level
from dealreg_registration.domain.case import Case, CaseActed, Verdict
from dealreg_registration.domain.case_steps import check_open
from dealreg_registration.domain.errors import RulingOvertaken
from dealreg_registration.domain.merging import merge_accounts
from dealreg_registration.domain.precedents import (
    departs,
    features_of,
    most_alike,
    outcome_of,
    suggestion,
)
from dealreg_registration.domain.ruling import Ruling, rule
from dealreg_registration.handlers.on_case import (
    acting,
    answer_with,
    case_at,
    new_entry,
    write_entry,
)
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.ids import new_id


@dataclass(frozen=True, slots=True)
class DecideCase:
    """The command. ``reason`` was checked to name no person."""

    conflict_id: str
    actor: Actor
    correlation_id: str
    ruling: Ruling
    reason: str
    seen: frozenset[int] | None = None
    other_account_id: str | None = None
    """The other account of a possible duplicate, which a ruling that it is the same one merges."""
    idempotency: IdempotencyKey | None = None

    @property
    def target(self) -> Target:
        return Target(
            conflict_id=self.conflict_id,
            merged_id=self.other_account_id if self.ruling.kind == "same_account" else None,
            rules=True,
        )

    def run(self, work: Work) -> Answer:
        case = case_at(work, self.conflict_id, self.seen)
        check_open(case)
        if work.other is not None and work.other.id != case.other_account_id:
            raise RulingOvertaken("The other account was merged meanwhile; read the case again.")
        level = deciding_level(case, acting(work), work.context.now)
        entry_id = new_entry()
        outcome = outcome_of(work.account, case, self.ruling)
        features = features_of(work.account, case, work.book)
        ranked = most_alike(features, work.precedents.get(case.kind, ()))
        departing = departs(suggestion(ranked), outcome)
        case = rule(
            work.account,
            case,
            self.ruling,
            work.book,
            work.context,
            new_id,
            level=level,
            by=self.actor.person_id,
            actor=self.actor.id,
            entry_id=entry_id,
            departs=departing,
        )
        write_entry(work, entry_id, case.id, "ruling", self.reason)
        self._merge(work, case)
        self._record(work, case, entry_id, {"features": features, "outcome": outcome})
        crashpoint("case.ruled")
        return answer_with(work, case, departs=list(departing))

    def _merge(self, work: Work, case: Case) -> None:
        """It is one account: the other becomes part of the case's, unless it is already."""
        other = work.other
        if other is None or other.merged_into is not None or other.id == work.account.id:
            return
        moved = merge_accounts(
            work.account, other, work.context, new_id, children=work.children, but=case.id
        )
        work.merges.append((work.account.id, other.id, moved))

    def _record(self, work: Work, case: Case, entry_id: str, precedent: Mapping[str, Any]) -> None:
        verdict = _verdict(work, case)
        work.new_rows.setdefault("ruling", []).append(
            {
                "conflict_id": case.id,
                "account_id": work.account.id,
                "case_kind": case.kind,
                "kind": verdict.kind,
                "level": verdict.level,
                "person_id": verdict.by,
                "decided_at": work.context.now,
                "breached": verdict.breached,
                "plan_number": work.context.plan.number,
                "parts": [[part.claim_id, part.effect] for part in verdict.parts],
                "departs": list(verdict.departs),
                "reason_entry": entry_id,
                "appeal_of": case.appeal_of,
                **precedent,
            }
        )


def _verdict(work: Work, case: Case) -> Verdict:
    for entry in reversed(work.account.journal):
        if isinstance(entry, CaseActed) and entry.case.id == case.id and entry.verdict is not None:
            return entry.verdict
    raise LookupError(case.id)

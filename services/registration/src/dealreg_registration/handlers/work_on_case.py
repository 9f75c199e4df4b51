"""Take a case, pass it up, comment on it, ask a party, answer as that party."""

from dataclasses import dataclass
from datetime import timedelta

from dealreg_registration.case_views import party_view
from dealreg_registration.commands import Actor, Answer, IdempotencyKey, Target, Work
from dealreg_registration.domain import case_steps
from dealreg_registration.domain.case import RulingKind
from dealreg_registration.domain.errors import RegistrationNotFound
from dealreg_registration.handlers.on_case import (
    acting,
    answer_with,
    case_at,
    new_entry,
    write_entry,
)
from dealreg_registration.views import encode
from dealreg_shared.crashpoint import crashpoint


@dataclass(frozen=True, slots=True)
class _OnCase:
    """``seen`` are the versions of the case that the caller may have read; None: any."""

    conflict_id: str
    actor: Actor
    correlation_id: str
    seen: frozenset[int] | None = None
    idempotency: IdempotencyKey | None = None

    @property
    def target(self) -> Target:
        return Target(conflict_id=self.conflict_id)


@dataclass(frozen=True, slots=True)
class TakeCase(_OnCase):
    """Take it on the caller's level."""

    def run(self, work: Work) -> Answer:
        case = case_at(work, self.conflict_id, self.seen)
        case = case_steps.take(work.account, case, acting(work), self.actor.id, work.context.now)
        crashpoint("case.taken")
        return answer_with(work, case)


@dataclass(frozen=True, slots=True)
class ReviewCase(_OnCase):
    """Pass it up with a recommendation and the reasons for it."""

    recommendation: RulingKind = "uphold_first"
    recommended: tuple[str, ...] = ()
    text: str = ""

    def run(self, work: Work) -> Answer:
        case = case_at(work, self.conflict_id, self.seen)
        entry_id = new_entry()
        case = case_steps.review(
            work.account,
            case,
            acting(work),
            self.actor.id,
            work.context.now,
            recommendation=self.recommendation,
            recommended=self.recommended,
            entry_id=entry_id,
        )
        write_entry(work, entry_id, case.id, "review", self.text)
        crashpoint("case.reviewed")
        return answer_with(work, case)


@dataclass(frozen=True, slots=True)
class CommentOnCase(_OnCase):
    text: str = ""

    def run(self, work: Work) -> Answer:
        case = case_at(work, self.conflict_id, self.seen)
        entry_id = new_entry()
        by = self.actor.person_id
        case = case_steps.comment(work.account, case, by, entry_id, work.context.now)
        write_entry(work, entry_id, case.id, "comment", self.text)
        crashpoint("case.commented")
        return answer_with(work, case)


@dataclass(frozen=True, slots=True)
class AskParty(_OnCase):
    """Ask one party for information, to be given within ``hours``."""

    registration_id: str = ""
    question: str = ""
    hours: int = 24

    def run(self, work: Work) -> Answer:
        case = case_at(work, self.conflict_id, self.seen)
        entry_id = new_entry()
        case = case_steps.ask(
            work.account,
            case,
            acting(work),
            self.actor.id,
            work.context.now,
            registration_id=self.registration_id,
            question=self.question,
            wait=timedelta(hours=self.hours),
            entry_id=entry_id,
        )
        write_entry(work, entry_id, case.id, "question", self.question, self.registration_id)
        crashpoint("case.asked")
        return answer_with(work, case)


@dataclass(frozen=True, slots=True)
class AnswerCase(_OnCase):
    """A party answers. A case that the partner is no party of is absent for it."""

    text: str = ""

    def run(self, work: Work) -> Answer:
        case, partner_id = work.account.cases[self.conflict_id], self.actor.partner_id
        members = [work.account.claims[claim_id] for claim_id in case.claim_ids]
        own = [claim for claim in members if claim.partner_id == partner_id]
        if partner_id is None or not own:
            raise RegistrationNotFound("No such case.")
        entry_id = new_entry()
        case = case_steps.answer(work.account, case, partner_id, entry_id, work.context.now)
        write_entry(work, entry_id, case.id, "answer", self.text, own[0].registration_id)
        crashpoint("case.answered")
        return Answer(200, encode(party_view(case, own, partner_id, {})), version=case.version)

"""What every command on a case shares: the case at the version seen, the caller's authority, the texts
that are kept beside it, and the answer."""

from collections.abc import Collection
from typing import Any

from dealreg_registration.case_views import case_view
from dealreg_registration.commands import Answer, Work
from dealreg_registration.domain.authority import Acting
from dealreg_registration.domain.case import Case
from dealreg_registration.domain.case_steps import check_version
from dealreg_registration.views import encode
from dealreg_shared.ids import new_id


def case_at(work: Work, conflict_id: str, seen: Collection[int] | None) -> Case:
    """The case, if its version is one of those seen. Raises ``CaseChanged``."""
    case = work.account.cases[conflict_id]
    check_version(case, seen)
    return case


def acting(work: Work) -> Acting:
    """With what authority the caller acts, at this instant."""
    return Acting(work.actor.role, work.actor.person_id, work.stands_for)


def write_entry(
    work: Work,
    entry_id: str,
    conflict_id: str,
    kind: str,
    text: str,
    registration_id: str | None = None,
) -> None:
    """Keep what was written, in a row of its own that can be erased."""
    work.new_rows.setdefault("case_entry", []).append(
        {
            "id": entry_id,
            "conflict_id": conflict_id,
            "at": work.context.now,
            "kind": kind,
            "actor": work.actor.id,
            "registration_id": registration_id,
            "partner_id": None
            if registration_id is None
            else work.registration(registration_id).partner_id,
            "text": text,
        }
    )


def new_entry() -> str:
    """The id of a text that is about to be kept."""
    return new_id("cen")


def answer_with(work: Work, case: Case, status: int = 200, **further: Any) -> Answer:
    """The case as it is now, for staff, with what else the command has to say."""
    account = work.account
    claims = [account.claims[claim_id] for claim_id in case.claim_ids]
    view = case_view(case, account.id, account.name, claims, work.context.now)
    return Answer(status, encode(view | further), version=case.version)

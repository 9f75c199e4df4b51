"""What people do with an open case short of ruling: take it, pass it up, comment, ask a party, answer.

Every step counts the case's version. Whoever acts on a version that is not the present one is refused
and told what was done meanwhile. Texts are kept by the caller, under the entry's id.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from dealreg_registration.domain.account import Account
from dealreg_registration.domain.authority import Acting, acting_level, reviewing_level
from dealreg_registration.domain.case import Asked, Case, CaseActed, Last, RulingKind
from dealreg_registration.domain.errors import CaseChanged, CaseClosed, NotAParty, NotAsked
from dealreg_registration.domain.stamps import pause_end, paused, raised, resumed
from dealreg_shared.ladder import Raise

ROLES = {
    "partner_manager": "partner manager",
    "vp": "VP Partnerships",
    "ceo": "CEO",
    "reviewer": "reviewer",
}
"""Roles on the ladder as people call them."""

DONE = {
    "joined": "a further claim joined it",
    "withdrawn": "it ended, as no claims meet any more",
    "taken": "it was taken",
    "reviewed": "it was reviewed and passed up",
    "asked": "a party was asked for information",
    "commented": "a comment was added",
    "answered": "a party answered",
    "resumed": "its clock runs again",
    "decided": "it was decided",
}
"""Each step of a case, for somebody who was slower."""


def check_version(case: Case, seen: Collection[int] | None) -> None:
    """Raises ``CaseChanged``, saying what was done, unless the case's version was seen. None: any."""
    if seen is None or case.version in seen:
        return
    last = case.last
    done = (
        ""
        if last is None
        else f": {DONE[last.what]}{_by(case, last.by)} at {last.at:%Y-%m-%d %H:%M:%S} UTC"
    )
    raise CaseChanged(f"The case changed since you read it{done}. Read it again, then decide anew.")


def _by(case: Case, actor: str) -> str:
    """Who did it: a person by role and id, a partner or a key by id; nobody, where the rules did."""
    kind, _, id_ = actor.partition(":")
    if kind != "person":
        return f" by {kind} {id_}" if id_ else ""
    role = next((d.role for d in case.deadlines if d.person_id == id_), None)
    return f" by person {id_}" if role is None else f" by the {ROLES[role]} (person {id_})"


def check_open(case: Case) -> None:
    """Raises ``CaseClosed``."""
    if not case.pending:
        raise CaseClosed(f"The case is {case.state}.")


def take(account: Account, case: Case, acting: Acting, actor: str, now: datetime) -> Case:
    """Take the case on the caller's level: lower ones may comment from now on. Taking it again changes
    nothing."""
    check_open(case)
    level = acting_level(case, acting, now)
    by = acting.person_id or actor
    held = max((r for r in case.course.raises if r.how == "taking"), key=_order, default=None)
    if held is not None and (held.level, held.by) == (level, by):
        return case
    course = raised(case.terms, case.course, Raise(level, now, by, "taking"))
    case = _after(account, replace(case, course=course), "taken", actor, now)
    _note(account, case, "taken", now, acting.person_id, level)
    return case


def review(
    account: Account,
    case: Case,
    acting: Acting,
    actor: str,
    now: datetime,
    *,
    recommendation: RulingKind,
    recommended: tuple[str, ...],
    entry_id: str,
) -> Case:
    """Pass the case up to the next level, with a recommendation. ``recommended`` are claims of it."""
    check_open(case)
    if not set(recommended) <= set(case.claim_ids):
        raise NotAParty("The recommendation names a claim that is not part of the case.")
    level = reviewing_level(case, acting, now) + 1
    step = Raise(level, now, acting.person_id or actor, "review")
    course = raised(case.terms, case.course, step)
    case = _after(account, replace(case, course=course, state="reviewed"), "reviewed", actor, now)
    detail = {"recommendation": recommendation, "recommended": list(recommended)}
    _note(account, case, "reviewed", now, acting.person_id, level, entry_id, detail)
    return case


def comment(account: Account, case: Case, by: str | None, entry_id: str, now: datetime) -> Case:
    """Add a comment. It does not count the version: it changes nothing that anybody decides by."""
    check_open(case)
    _note(account, case, "commented", now, by, None, entry_id, {"kind": "comment"})
    return case


def ask(
    account: Account,
    case: Case,
    acting: Acting,
    actor: str,
    now: datetime,
    *,
    registration_id: str,
    question: str,
    wait: timedelta,
    entry_id: str,
) -> Case:
    """Ask one party for information within ``wait``. The clock stands meanwhile if the plan says so,
    and never longer than its limit."""
    check_open(case)
    level = acting_level(case, acting, now)
    members = {account.claims[claim_id].registration_id for claim_id in case.claim_ids}
    if registration_id not in members:
        raise NotAParty("This registration has no claim in the case.")
    due = now + wait
    until = None if case.course.paused(now) else pause_end(case.terms, case.course, now, due)
    partner_id = account.registrations[registration_id].partner_id
    asked = Asked(entry_id, registration_id, partner_id, now, due, until is not None)
    course = case.course if until is None else paused(case.terms, case.course, now, until)
    case = _after(
        account, replace(case, course=course, asked=(*case.asked, asked)), "asked", actor, now
    )
    account.journal.append(
        CaseActed(
            case,
            "asked",
            now,
            acting.person_id,
            level,
            entry_id,
            {"registration": registration_id, "pauses": asked.pauses},
            question,
        )
    )
    if until is not None:
        _note(account, case, "paused", now, acting.person_id, level, entry_id)
    return case


def answer(account: Account, case: Case, partner_id: str, entry_id: str, now: datetime) -> Case:
    """A party answers what it was asked; everything that it is asked counts as answered. The clock runs
    again unless somebody else is waited for."""
    check_open(case)
    mine = [a for a in case.asked if a.partner_id == partner_id and a.answered_at is None]
    if not mine:
        raise NotAsked("Nothing that you are asked about this case waits for an answer.")
    asked = tuple(replace(a, answered_at=now) if a in mine else a for a in case.asked)
    course = case.course
    resumes = any(a.pauses for a in mine) and course.paused(now) is not None
    if resumes:
        course = resumed(case.terms, course, now)
    case = _after(
        account, replace(case, asked=asked, course=course), "answered", f"partner:{partner_id}", now
    )
    _note(account, case, "commented", now, partner_id, None, entry_id, {"kind": "answer"})
    if resumes:
        _note(account, case, "resumed", now, partner_id, None, None, {"how": "answered"})
    return case


def lapse(account: Account, case: Case, at: datetime) -> Case:
    """A pause is over and nobody has answered. What counts from now on was stamped when it began."""
    asked = tuple(replace(a, pauses=False) if a.answered_at is None else a for a in case.asked)
    case = _after(account, replace(case, asked=asked), "resumed", "system", at)
    _note(account, case, "resumed", at, None, None, None, {"how": "lapsed"})
    return case


def _order(step: Raise) -> tuple[int, datetime]:
    return step.level, step.at


def _after(account: Account, case: Case, what: str, by: str, now: datetime) -> Case:
    case = replace(case, version=case.version + 1, last=Last(what, by, now))
    account.cases[case.id] = case
    return case


def _note(
    account: Account,
    case: Case,
    step: Any,
    now: datetime,
    by: str | None,
    level: int | None,
    entry_id: str | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    account.journal.append(CaseActed(case, step, now, by, level, entry_id, detail or {}))

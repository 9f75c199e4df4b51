"""From what happens to a case to the events that tell others. Ids and facts; texts do not travel,
except a question to the partner that is asked.
"""

from collections.abc import Sequence
from typing import Any, cast

from dealreg_registration.domain.account import Account, Claim
from dealreg_registration.domain.case import Case, CaseActed, CaseMoved, Verdict
from dealreg_shared.contracts import conflict as contract
from dealreg_shared.contracts.base import EventData, Market

Emitted = tuple[str, str, EventData]


def case_moved(account: Account, entry: CaseMoved) -> Emitted:
    """Type, subject and data for a case that was opened, joined or closed."""
    case = entry.case
    if entry.step == "opened":
        data: EventData = contract.ConflictOpened(
            conflict_id=case.id,
            kind=case.kind,
            account_id=account.id,
            account_name=account.name,
            market=_market(case),
            plan_number=case.plan_number,
            opened_at=case.opened_at,
            generation=case.generation,
            deadlines=_deadlines(case),
            claims=_claims(account, case.claim_ids),
            repeat_hours=case.terms.repeat_hours,
            appeal_of=case.appeal_of,
            other_account_id=case.other_account_id,
            other_account_name=case.other_account_name,
            matched_by=case.matched_by,
        )
    elif entry.step == "joined":
        data = contract.ConflictJoined(
            conflict_id=case.id,
            account_id=account.id,
            claims=_claims(account, entry.joined),
            joined_at=entry.at,
        )
    else:
        data = contract.ConflictClosed(
            conflict_id=case.id,
            account_id=account.id,
            kind=case.kind,
            state="decided" if case.state == "decided" else "withdrawn",
            closed_at=entry.at,
            level=case.closed_level or 1,
        )
    return f"dealreg.conflict.{entry.step}.v1", case.id, data


def case_acted(account: Account, entry: CaseActed) -> Emitted:
    """The same for what a person did with it."""
    return f"dealreg.conflict.{entry.step}.v1", entry.case.id, _acted(account, entry)


def _acted(account: Account, entry: CaseActed) -> EventData:
    case, detail = entry.case, entry.detail
    fact: dict[str, Any] = {"conflict_id": case.id, "account_id": account.id}
    stamped = fact | {"generation": case.generation, "deadlines": _deadlines(case)}
    match entry.step:
        case "taken":
            return contract.ConflictTaken(
                **stamped, level=entry.level or 1, by=entry.by, taken_at=entry.at
            )
        case "reviewed":
            return contract.ConflictReviewed(
                **stamped,
                level=entry.level or 1,
                by=entry.by,
                recommendation=detail["recommendation"],
                recommended=tuple(detail["recommended"]),
                reviewed_at=entry.at,
            )
        case "asked":
            asked = case.asked[-1]
            return contract.ConflictAsked(
                **fact,
                registration_id=asked.registration_id,
                partner_id=asked.partner_id,
                account_name=account.registrations[asked.registration_id].account_name,
                question=entry.question or "",
                asked_at=entry.at,
                due_at=asked.due_at,
                pauses=asked.pauses,
            )
        case "paused":
            asked = case.asked[-1]
            return contract.ConflictPaused(
                **stamped,
                registration_id=asked.registration_id,
                partner_id=asked.partner_id,
                paused_at=entry.at,
                until=case.course.pauses[-1].end or asked.due_at,
            )
        case "resumed":
            return contract.ConflictResumed(**stamped, how=detail["how"], resumed_at=entry.at)
        case "commented":
            return contract.ConflictCommented(
                **fact,
                entry_id=entry.entry_id or "",
                kind=detail["kind"],
                by=entry.by,
                at=entry.at,
            )
        case "decided":
            return _decided(account, entry, cast("Verdict", entry.verdict))


def _decided(account: Account, entry: CaseActed, verdict: Verdict) -> contract.ConflictDecided:
    case = entry.case
    return contract.ConflictDecided(
        conflict_id=case.id,
        account_id=account.id,
        kind=case.kind,
        account_name=account.name,
        market=_market(case),
        ruling=verdict.kind,
        level=verdict.level,
        by=verdict.by,
        decided_at=entry.at,
        breached=verdict.breached,
        winners=verdict.claims("holds"),
        co_holders=verdict.claims("co_holds"),
        departs=verdict.departs,
        parties=tuple(
            contract.RulingParty(
                claim_id=claim.id,
                registration_id=claim.registration_id,
                partner_id=claim.partner_id,
                product_line=claim.product_line,
                effect=part.effect,
                state=claim.state,
                sentence=part.sentence,
                appeal_until=part.appeal_until,
                appeals=claim.appeal_id == case.id,
            )
            for part in verdict.parts
            for claim in [account.claims[part.claim_id]]
        ),
    )


def _deadlines(case: Case) -> tuple[contract.Deadline, ...]:
    return tuple(
        contract.Deadline(
            level=deadline.level,
            role=cast("Any", deadline.role),
            person_id=deadline.person_id,
            due_at=deadline.due_at,
            remind_at=deadline.remind_at,
        )
        for deadline in case.deadlines
    )


def _claims(account: Account, claim_ids: Sequence[str]) -> tuple[contract.ConflictClaim, ...]:
    claims: list[Claim] = sorted(
        (account.claims[claim_id] for claim_id in claim_ids), key=lambda claim: claim.turn
    )
    return tuple(
        contract.ConflictClaim(
            claim_id=claim.id,
            registration_id=claim.registration_id,
            partner_id=claim.partner_id,
            product_line=claim.product_line,
            place=claim.place,
            state=claim.state,
        )
        for claim in claims
    )


def _market(case: Case) -> Market:
    return Market(region=case.market_region, segment=case.market_segment)

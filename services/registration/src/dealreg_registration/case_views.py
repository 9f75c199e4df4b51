"""What staff see of a case, and what a partner sees of one that it is a party of: JSON values.

A partner learns that the vendor is settling something about its own claims, and what is asked of it;
never of another partner, a place, or who works on the case.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from dealreg_registration.domain.account import Claim
from dealreg_registration.domain.case import PENDING_STATES, Asked, Case
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.ladder import Deadline, level_at, passed_up, taken_above


def instant(value: datetime | None) -> str | None:
    return None if value is None else format_instant(value)


def case_view(
    case: Case, account_id: str, account_name: str, claims: Iterable[Claim], now: datetime
) -> dict[str, Any]:
    """A case, for staff: who must act by when, and the claims in true order."""
    closed = case.closed_at
    level = level_at(case.course, now)
    current = next(d for d in case.deadlines if d.level == level)
    pause = None if closed else case.course.paused(now)
    due = current.due_at if closed is None else None
    return {
        "id": case.id,
        "kind": case.kind,
        "state": case.state,
        "version": case.version,
        "account": {"id": account_id, "name": account_name},
        "other_account_id": case.other_account_id,
        "other_account_name": case.other_account_name,
        "matched_by": list(case.matched_by),
        "market": {"region": case.market_region, "segment": case.market_segment},
        "opened_at": instant(case.opened_at),
        "closed_at": instant(closed),
        "level": level,
        "responsible": {"role": current.role, "person_id": current.person_id},
        "due_at": instant(due),
        "seconds_left": _left(current, now) if closed is None else None,
        "paused_until": instant(pause.end) if pause else None,
        "deadlines": [
            {
                "level": deadline.level,
                "role": deadline.role,
                "person_id": deadline.person_id,
                "due_at": instant(deadline.due_at),
                "seconds_left": _left(deadline, now) if closed is None else None,
            }
            for deadline in case.deadlines
        ],
        "plan_number": case.plan_number,
        "appeal_of": case.appeal_of,
        "claimed_result": case.claimed,
        "asked": [_asked_view(asked) | {"partner_id": asked.partner_id} for asked in case.asked],
        "claims": [
            {
                "id": claim.id,
                "registration_id": claim.registration_id,
                "partner_id": claim.partner_id,
                "product_line": claim.product_line,
                "place": claim.place,
                "state": claim.state,
                "protected_until": instant(claim.protected_until),
            }
            for claim in sorted(claims, key=lambda claim: claim.turn)
        ],
    }


def party_view(
    case: Case, claims: Iterable[Claim], partner_id: str, texts: Mapping[str, str | None]
) -> dict[str, Any]:
    """A case, for a partner that is a party: its own claims, and what is asked of it. ``texts`` holds
    the history's texts by entry id."""
    return {
        "id": case.id,
        "state": "open" if case.pending else "closed",
        "claims": [
            {
                "id": claim.id,
                "registration_id": claim.registration_id,
                "product_line": claim.product_line,
                "state": claim.state,
                "protected_until": instant(claim.protected_until),
            }
            for claim in sorted(claims, key=lambda claim: claim.turn)
            if claim.partner_id == partner_id
        ],
        "asked": [
            _asked_view(asked) | {"question": texts.get(asked.entry_id)}
            for asked in case.asked
            if asked.partner_id == partner_id
        ],
    }


def _asked_view(asked: Asked) -> dict[str, Any]:
    return {
        "registration_id": asked.registration_id,
        "asked_at": instant(asked.asked_at),
        "due_at": instant(asked.due_at),
        "answered_at": instant(asked.answered_at),
    }


def _left(deadline: Deadline, now: datetime) -> int | None:
    """Seconds on the wall clock; a deadline that comes after a pause is stamped already."""
    if deadline.due_at is None:
        return None
    return max(0, int((deadline.due_at - now).total_seconds()))


def question_view(row: Any, asked: Asked) -> dict[str, Any]:
    """What a partner is asked. Open as long as the case is and nobody has answered."""
    view = _asked_view(asked)
    return view | {
        "conflict_id": row.conflict_id,
        "question": row.text,
        "open": asked.answered_at is None and row.state in PENDING_STATES,
    }


def filed_view(row: Any) -> dict[str, Any]:
    """What one side filed, for staff."""
    return {
        "registration_id": row.id,
        "partner_id": row.partner_id,
        "filed_at": instant(row.filed_at),
        "account_name": row.account_name,
        "amount": {"amount": row.amount, "currency": row.currency},
        "close_date": row.close_date.isoformat(),
        "deal_type": row.deal_type,
        "tags": row.tags,
        "reseller_id": row.reseller_id,
        "distributor_id": row.distributor_id,
        "evidence": row.evidence,
        "external_reference": row.external_reference,
        "result": row.result,
    }


def level_view(
    case: Case, deadline: Deadline, stand_ins: Sequence[str], now: datetime
) -> dict[str, Any]:
    """One level: who, until when, and whether it may decide now."""
    person = deadline.person_id
    barred = person in case.barred
    may = (
        case.pending
        and not barred
        and not taken_above(case.course, deadline.level, now)
        and not passed_up(case.course, deadline.level, now)
    )
    return {
        "level": deadline.level,
        "role": deadline.role,
        "person_id": person,
        "delegates": [one for one in stand_ins if one not in case.barred],
        "due_at": instant(deadline.due_at),
        "may_act": may,
        "may_decide": may and (deadline.level > 1 or case.terms.manager_may_decide),
    }

"""What a filing's event tells, written as it travels: ``RegistrationFiled`` without the model.

Every filing makes one. To build and check the model for each took 30 us, a twentieth of a filing; tests
check that the model reads and writes every event as it was written here. Must not decide anything.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from dealreg_registration.domain.account import (
    Account,
    Acted,
    Claim,
    ClaimMoved,
    Owner,
    Registration,
)
from dealreg_shared.contracts.base import format_instant


def filed_data(
    account: Account,
    registration: Registration,
    act: Acted,
    effects: Iterable[ClaimMoved],
    plan_number: int,
    filed_by: str,
) -> Mapping[str, Any]:
    """The fields of ``RegistrationFiled``, in its order and in its spelling."""
    place = registration.place_of_use or account.facts.location
    return {
        "registration_id": registration.id,
        "partner_id": registration.partner_id,
        "account_id": account.id,
        "account_name": registration.account_name,
        "market": {"region": registration.market_region, "segment": registration.market_segment},
        "plan_number": plan_number,
        "filed_by": "staff" if filed_by == "staff" or act.act == "received" else "partner",
        "country": place.country,
        "subdivision": place.subdivision,
        "deal_type": registration.deal_type,
        "amount": {
            "amount": format(registration.amount, "f"),
            "currency": registration.currency,
        },
        "amount_base": format(registration.amount_base, "f"),
        "close_date": registration.close_date.isoformat(),
        "owner": _owner(act.owner),
        "claims": [_decided(account.claims[move.after.id], move) for move in effects],
    }


def _owner(owner: Owner) -> Mapping[str, Any]:
    return {"kind": owner.kind, "partner_id": owner.partner_id, "direct_id": owner.direct_id}


def _decided(claim: Claim, move: ClaimMoved) -> Mapping[str, Any]:
    referred = {"kind": claim.referred_kind, "id": claim.referred_id}
    return {
        "claim_id": claim.id,
        "product_line": claim.product_line,
        "place": claim.place,
        "outcome": move.after.state,
        "codes": claim.codes,
        "reasons": move.reasons,
        "protected_from": _instant(claim.protected_from),
        "protected_until": _instant(claim.protected_until),
        "territory_id": claim.territory_id,
        "referred_to": None if claim.referred_kind is None else referred,
        "duplicate_of": claim.duplicate_of,
        "conflict_id": claim.case_id,
    }


def _instant(value: datetime | None) -> str | None:
    return None if value is None else format_instant(value)

"""Rows of claims and registrations as the domain sees them.

Must not decide anything.
"""

from decimal import Decimal
from typing import Any

from sqlalchemy import Row

from dealreg_registration.domain import flags
from dealreg_registration.domain.account import Claim, Registration
from dealreg_registration.domain.facts import Location


def claim_from(row: Row[Any]) -> Claim:
    return Claim(
        id=row.id,
        registration_id=row.registration_id,
        partner_id=row.partner_id,
        product_line=row.product_line,
        place=row.place,
        state=row.state,
        decided_at=row.decided_at,
        plan_number=row.plan_number,
        protected_from=row.protected_from,
        protected_until=row.protected_until,
        territory_id=row.territory_id,
        assignment_id=row.assignment_id,
        referred_kind=row.referred_kind,
        referred_id=row.referred_id,
        duplicate_of=row.duplicate_of,
        case_id=row.case_id,
        appeal_id=row.appeal_id,
        co_holds=row.co_holds,
        numbered_by=None if row.numbered_by == row.account_id else row.numbered_by,
        taken_at=row.taken_at,
        codes=tuple(row.codes),
        ended_at=row.ended_at,
        flags=flags.from_json(row.flags),
    )


def registration_from(row: Row[Any]) -> Registration:
    return Registration(
        id=row.id,
        partner_id=row.partner_id,
        account_name=row.account_name,
        filed_at=row.filed_at,
        amount=Decimal(row.amount),
        currency=row.currency,
        amount_base=Decimal(row.amount_base),
        close_date=row.close_date,
        deal_type=row.deal_type,
        place_of_use=Location(*row.place_of_use),
        tags=frozenset(row.tags),
        reseller_id=row.reseller_id,
        distributor_id=row.distributor_id,
        market_region=row.market_region,
        market_segment=row.market_segment,
        last_activity_at=row.last_activity_at,
        version=row.version,
        result=row.result,
        result_at=row.result_at,
        referred_by=row.referred_by,
    )

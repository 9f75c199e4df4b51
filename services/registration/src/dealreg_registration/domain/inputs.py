"""The canonical record of what a decision was made from, so that it can be made again and compared."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from dealreg_registration.domain import facts
from dealreg_registration.domain.account import Account, Claim, Registration
from dealreg_registration.domain.decide import Decision, LineDecision


def _instant(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat().replace("+00:00", "Z")


def describe_filing(filing: Registration) -> dict[str, Any]:
    place = filing.place_of_use
    return {
        "registration": filing.id,
        "partner": filing.partner_id,
        "amount": str(filing.amount),
        "currency": filing.currency,
        "close_date": filing.close_date.isoformat(),
        "deal_type": filing.deal_type,
        "place_of_use": [place.country, place.subdivision, place.postal_code, place.city],
        "tags": sorted(filing.tags),
        "reseller": filing.reseller_id,
        "distributor": filing.distributor_id,
    }


def describe_claim(claim: Claim) -> dict[str, Any]:
    return {
        "claim": claim.id,
        "partner": claim.partner_id,
        "line": claim.product_line,
        "place": claim.place,
        "state": claim.state,
        "until": _instant(claim.protected_until),
    }


def describe(
    filing: Registration, product_lines: Iterable[str], account: Account, now: datetime
) -> dict[str, Any]:
    """Filing, facts, keys, the active claims on the same lines, and the instant. No person's data."""
    lines = list(product_lines)
    return {
        "now": _instant(now),
        "filing": describe_filing(filing),
        "lines": lines,
        "facts": facts.to_json(account.facts),
        "keys": sorted(account.keys),
        "parent_keys": sorted(account.parent_keys),
        "last_place": account.last_place,
        "claims": [describe_claim(c) for c in account.active() if c.product_line in lines],
    }


def describe_line(line: LineDecision) -> dict[str, Any]:
    return {
        "line": line.product_line,
        "outcome": line.outcome,
        "codes": list(line.codes),
        "from": _instant(line.protected_from),
        "until": _instant(line.protected_until),
        "territory": line.territory_id,
        "referred": [line.referred_kind, line.referred_id],
        "duplicate_of": line.duplicate_of,
        "supersedes": line.supersedes,
        "trace": [step.for_staff() for step in line.trace],
    }


def describe_result(decision: Decision) -> dict[str, Any]:
    owner = decision.owner
    return {
        "rule_book": decision.rule_book,
        "plan": decision.plan_number,
        "owner": [owner.kind, owner.partner_id, owner.direct_id],
        "market": [decision.market_region, decision.market_segment],
        "lines": [describe_line(line) for line in decision.lines],
    }

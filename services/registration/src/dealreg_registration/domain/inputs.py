"""The canonical record of what a decision was made from, so that it can be made again and compared.

What is empty is left out. ``domain.replay`` reads this record; whatever a rule comes to look at must be
written here too. No person's data.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from dealreg_registration.domain import facts, flags
from dealreg_registration.domain.account import Account, Claim, Registration
from dealreg_registration.domain.decide import Decision, LineDecision
from dealreg_registration.domain.facts import Disagreement, Location


def _instant(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat().replace("+00:00", "Z")


def _place(place: Location) -> list[str | None]:
    return [place.country, place.subdivision, place.postal_code, place.city]


def describe_filing(filing: Registration) -> dict[str, Any]:
    described = {
        "registration": filing.id,
        "partner": filing.partner_id,
        "amount": str(filing.amount),
        "currency": filing.currency,
        "amount_base": str(filing.amount_base),
        "close_date": filing.close_date.isoformat(),
        "deal_type": filing.deal_type,
    }
    return described | _describe_deal(filing)


def _describe_deal(registration: Registration) -> dict[str, Any]:
    described: dict[str, Any] = {}
    if registration.place_of_use:
        described["place_of_use"] = _place(registration.place_of_use)
    if registration.tags:
        described["tags"] = sorted(registration.tags)
    if registration.reseller_id is not None:
        described["reseller"] = registration.reseller_id
    if registration.distributor_id is not None:
        described["distributor"] = registration.distributor_id
    return described


def describe_claim(claim: Claim) -> dict[str, Any]:
    described: dict[str, Any] = {
        "claim": claim.id,
        "registration": claim.registration_id,
        "partner": claim.partner_id,
        "line": claim.product_line,
        "place": claim.place,
        "state": claim.state,
    }
    if claim.taken_at is not None:
        described["taken_at"] = _instant(claim.taken_at)
    if claim.protected_until is not None:
        described["until"] = _instant(claim.protected_until)
    if (set_ := flags.to_json(claim.flags)) is not None:
        described["flags"] = set_
    return described


def describe(
    filing: Registration,
    product_lines: Iterable[str],
    account: Account,
    now: datetime,
    suspended: Iterable[str],
    *,
    cooling_off: bool = False,
    new_evidence: bool = False,
    disagreements: Iterable[Disagreement] = (),
    again: bool = False,
    asked: Iterable[str] = (),
) -> dict[str, Any]:
    """What ``decide`` reads beside the plan. Call it before the decision is carried out.

    ``suspended`` are the partners that the decision asked for and found suspended. With a
    ``cooling_off`` the partner's own expired claims matter too.
    """
    lines = list(product_lines)
    expired = [
        claim
        for claim in account.claims.values()
        if cooling_off
        and claim.state == "expired"
        and claim.partner_id == filing.partner_id
        and claim.product_line in lines
    ]
    claims = [*account.active(), *sorted(expired, key=lambda claim: claim.turn)]
    described = {"filing": describe_filing(filing), "lines": lines} | _describe_account(
        account, claims, now, suspended
    )
    if filing.deal_type == "renewal":
        described["incumbents"] = {
            line: account.incumbents[line] for line in lines if line in account.incumbents
        }
    if new_evidence:
        described["new_evidence"] = True
    if again:
        described["again"] = True
    if asked := sorted(asked):
        described["asked"] = asked
    if disagreements := tuple(disagreements):
        described["disagreements"] = [item.fact for item in disagreements]
    return described


def describe_standby(
    product_line: str,
    account: Account,
    at: datetime,
    suspended: Iterable[str],
    *,
    only: str | None = None,
    because: str = "ended",
) -> dict[str, Any]:
    """What a promotion reads beside the plan: who waits for the line, in order of place.

    ``only`` is the claim whose partner confirmed an offer or answered a question: ``because``.
    """
    waiting = account.standby(product_line)
    described: dict[str, Any] = {"standby": product_line}
    if only is not None:
        described[because] = only
    return described | _describe_account(account, waiting, at, suspended)


def _describe_account(
    account: Account, claims: list[Claim], now: datetime, suspended: Iterable[str]
) -> dict[str, Any]:
    described: dict[str, Any] = {
        "now": _instant(now),
        "facts": facts.to_json(account.facts),
        "keys": sorted(account.keys),
        "last_place": account.last_place,
    }
    if account.parent_keys:
        described["parent_keys"] = sorted(account.parent_keys)
    if claims:
        described["claims"] = [describe_claim(claim) for claim in claims]
        described["registrations"] = {
            id_: {"activity": _instant(account.registrations[id_].last_activity_at)}
            | _describe_deal(account.registrations[id_])
            for id_ in sorted({claim.registration_id for claim in claims})
        }
    if suspended := sorted(suspended):
        described["suspended"] = suspended
    return described


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

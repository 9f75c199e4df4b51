"""Precedents: the facts of a case as features, and how alike two cases are by them.

Features hold kinds, bands and ids of the plan, never a person, a partner or an account, so a precedent
outlives all of these. Likeness is a weighted share of equal features and can be told in words: whoever
decides sees why a case is shown. Cases of different kinds are never compared. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from dealreg_registration.domain.account import Account, Claim
from dealreg_registration.domain.case import Case
from dealreg_registration.domain.plan import Plan, PlanBook
from dealreg_registration.domain.ruling import Ruling

Features = Mapping[str, str]

WEIGHTS: Mapping[str, int] = {
    "roles": 3,
    "product_overlap": 2,
    "head_start": 2,
    "segment": 2,
    "deal_types": 2,
    "named_account": 2,
    "tiers": 1,
    "region": 1,
    "amount": 1,
    "parties": 1,
    "result": 1,
}
"""Feature -> how much it counts: who is responsible for the account most, size and place least."""

WORDS: Mapping[str, str] = {
    "roles": "roles",
    "product_overlap": "product overlap",
    "head_start": "head start of the first",
    "segment": "segment",
    "deal_types": "deal type",
    "named_account": "named account",
    "tiers": "tiers",
    "region": "region",
    "amount": "amount",
    "parties": "parties",
    "result": "result claimed",
}

SHOWN = 3
"""How many precedents a case shows."""

SIMILAR = 0.75
"""The share from which on a precedent suggests anything."""

AGREEING = 2
"""How many similar precedents must agree before they suggest a ruling; one alone is no practice."""

_HEAD_STARTS = (
    (timedelta(hours=1), "under an hour"),
    (timedelta(days=1), "under a day"),
    (timedelta(days=7), "under a week"),
    (timedelta(days=30), "under a month"),
)


@dataclass(frozen=True, slots=True)
class Precedent:
    """A ruling that was made. ``outcome`` is what it came to, see ``outcome_of``."""

    case_id: str
    outcome: str
    features: Features
    decided_at: datetime
    level: int


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike a precedent is, from 0 to 1, and by which features; in order of their weight."""

    precedent: Precedent
    share: float
    same: tuple[str, ...]
    differs: tuple[str, ...]

    def in_words(self) -> str:
        """Such as: same: roles both primary, segment smb; differs: deal type new, not renewal."""
        told = [("same: " + ", ".join(self.same))] if self.same else []
        if self.differs:
            told.append("differs: " + ", ".join(self.differs))
        return "; ".join(told)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What the similar precedents ruled, all of them alike, and which these are."""

    outcome: str
    case_ids: tuple[str, ...]


def features_of(account: Account, case: Case, book: PlanBook) -> dict[str, str]:
    """What a case is about. The account has every claim of the case's registrations."""
    claims = [account.claims[claim_id] for claim_id in case.claim_ids]
    first = first_of(claims)
    rivals = sorted(
        (c for c in claims if c.registration_id != first.registration_id), key=lambda c: c.place
    )
    plan = book.numbered(case.plan_number)
    registration = account.registrations[first.registration_id]
    features = {
        "roles": _roles(first, rivals, book),
        "deal_types": _together(
            account.registrations[claim.registration_id].deal_type for claim in (first, *rivals)
        ),
        "amount": _amount_band(registration.amount_base),
        "region": case.market_region,
        "segment": case.market_segment,
        "result": case.claimed,
    }
    if plan is not None:
        named = plan.named(account.keys, account.parent_keys)
        features["named_account"] = "no" if named is None else "yes"
    if rivals:
        others = {claim.registration_id for claim in rivals}
        filed = min(account.registrations[id_].filed_at for id_ in others)
        features["head_start"] = _head_start(filed - registration.filed_at)
        features["product_overlap"] = _overlap(account, first.registration_id, others)
        features["parties"] = "two" if len(others) == 1 else "more than two"
        if plan is not None:
            features["tiers"] = _tiers(plan, first, rivals)
    return {name: value for name, value in features.items() if value is not None}


def first_of(claims: Iterable[Claim]) -> Claim:
    """The claim that the others meet: the holder, else the oldest."""
    return min(claims, key=lambda claim: (not claim.holds, claim.place))


def outcome_of(account: Account, case: Case, ruling: Ruling) -> str:
    """What a ruling comes to. To award the line to the first is to uphold the first."""
    if ruling.kind != "award" or ruling.claim_id not in account.claims or case.kind == "appeal":
        return ruling.kind
    first = first_of(account.claims[claim_id] for claim_id in case.claim_ids)
    awarded = account.claims[ruling.claim_id]
    return "uphold_first" if awarded.registration_id == first.registration_id else "award"


def likeness(features: Features, precedent: Precedent) -> Likeness:
    """Features that neither case has are left out; one that only one of them has differs."""
    same: list[str] = []
    differs: list[str] = []
    equal = total = 0
    for name, weight in WEIGHTS.items():
        here, there = features.get(name), precedent.features.get(name)
        if here is None and there is None:
            continue
        total += weight
        if here == there:
            equal += weight
            same.append(f"{WORDS[name]} {here}")
        else:
            differs.append(f"{WORDS[name]} {here or 'unknown'}, not {there or 'unknown'}")
    share = equal / total if total else 0.0
    return Likeness(precedent, share, tuple(same), tuple(differs))


def most_alike(features: Features, precedents: Iterable[Precedent]) -> list[Likeness]:
    """The most alike first; of equals the latest."""
    found = [likeness(features, precedent) for precedent in precedents]
    found.sort(key=lambda it: (it.share, it.precedent.decided_at, it.precedent.case_id))
    return found[::-1]


def suggestion(ranked: Sequence[Likeness]) -> Suggestion | None:
    """What the similar ones among those shown suggest, if they agree."""
    similar = [it.precedent for it in ranked[:SHOWN] if it.share >= SIMILAR]
    if len(similar) < AGREEING or len({precedent.outcome for precedent in similar}) > 1:
        return None
    return Suggestion(similar[0].outcome, tuple(precedent.case_id for precedent in similar))


def departs(suggested: Suggestion | None, outcome: str) -> tuple[str, ...]:
    """The precedents that a ruling departs from."""
    return () if suggested is None or suggested.outcome == outcome else suggested.case_ids


def _roles(first: Claim, rivals: Sequence[Claim], book: PlanBook) -> str:
    own = _role(first, book)
    others = sorted({_role(claim, book) for claim in rivals})
    if not others:
        return own
    if others == [own]:
        return f"both {own}" if len(rivals) == 1 else f"all {own}"
    return f"{own} before {' and '.join(others)}"


def _role(claim: Claim, book: PlanBook) -> str:
    plan = book.numbered(claim.plan_number)
    territory = None if plan is None else plan.territories.by_id.get(claim.territory_id or "")
    if territory is None:
        return "unassigned"
    if territory.overlay:
        return "overlay"
    for assignment in territory.assignments:
        if assignment.id == claim.assignment_id:
            return "primary" if assignment.primary else "secondary"
    return "unassigned"


def _tiers(plan: Plan, first: Claim, rivals: Sequence[Claim]) -> str:
    ranks = {
        claim.partner_id: plan.partners[claim.partner_id].tier_rank
        for claim in (first, *rivals)
        if claim.partner_id in plan.partners
    }
    own = ranks.pop(first.partner_id, None)
    if own is None or not ranks:
        return "unknown"
    best = max(ranks.values())
    return "equal" if own == best else "first above" if own > best else "first below"


def _overlap(account: Account, first: str, others: Iterable[str]) -> str:
    def lines(registration_id: str) -> set[str]:
        return {claim.product_line for claim in account.of_registration(registration_id)}

    return "complete" if all(lines(other) == lines(first) for other in others) else "partial"


def _head_start(lead: timedelta) -> str:
    return next((word for limit, word in _HEAD_STARTS if lead < limit), "a month or more")


def _amount_band(amount: Decimal) -> str:
    """Its order of magnitude, in the programme's currency."""
    if amount < 1:
        return "under 1"
    low = 10 ** amount.adjusted()
    return f"{low:,} to under {low * 10:,}"


def _together(values: Iterable[str]) -> str:
    return " and ".join(sorted(set(values)))

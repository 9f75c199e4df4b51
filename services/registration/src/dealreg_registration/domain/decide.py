"""The decision: rules 1 to 7 of rules.md, section 2, for each product line of a filing.

``decide`` is pure: no I/O, no clock, no randomness. The same inputs give the same bytes, so any stored
decision can be replayed. It reads the account and changes nothing; ``file`` in ``domain.filing`` carries
out what it says.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from dealreg_registration.domain.account import (
    LIVE,
    Account,
    Claim,
    Owner,
    Registration,
    State,
)
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.coverage import Coverage, covers, covers_line, target_for
from dealreg_registration.domain.eligible import ineligible
from dealreg_registration.domain.explain_coverage import coverage_step
from dealreg_registration.domain.facts import Disagreement
from dealreg_registration.domain.match import Target
from dealreg_registration.domain.owner import owner_of
from dealreg_registration.domain.plan import NamedAccount, Plan, window
from dealreg_registration.domain.trace import Step

RULE_BOOK = "2026-11.2"
"""The version of the rules that this code applies: month and number within it. Kept with every decision;
it changes whenever the same inputs would give another result, be it a word (a test holds it)."""


@dataclass(frozen=True, slots=True)
class LineDecision:
    """What becomes of one claim, and why. ``supersedes`` and ``duplicate_of`` are claim ids."""

    product_line: str
    outcome: State
    trace: tuple[Step, ...]
    codes: tuple[str, ...] = ()
    protected_from: datetime | None = None
    protected_until: datetime | None = None
    territory_id: str | None = None
    assignment_id: str | None = None
    referred_kind: Literal["partner", "direct", "manager"] | None = None
    referred_id: str | None = None
    duplicate_of: str | None = None
    supersedes: str | None = None
    holder: str | None = None
    exhausted: bool = False
    object_until: datetime | None = None

    @property
    def reasons(self) -> tuple[str, ...]:
        """The sentences of the rules that decided, for the partner."""
        return tuple(step.sentence for step in self.trace if step.held)


@dataclass(frozen=True, slots=True)
class Decision:
    plan_number: int
    rule_book: str
    lines: tuple[LineDecision, ...]
    owner: Owner
    market_region: str | None
    market_segment: str | None


def decide(
    filing: Registration,
    product_lines: Iterable[str],
    account: Account,
    context: Context,
    *,
    new_evidence: bool = False,
    disagreements: Iterable[Disagreement] = (),
    again: bool = False,
    asked: frozenset[str] = frozenset(),
) -> Decision:
    """Decide every line of a filing. Call ``settle`` on the account first.

    ``again`` marks an open or referred claim that is decided anew after a fact was added. It is no new
    claim and supersedes none; if a claim that is one with it is live by now, it is that one's duplicate.
    ``asked`` are targets that did not take its referral.
    """
    plan = context.plan
    named = plan.named(account.keys, account.parent_keys)
    target = target_for(plan, account.facts, filing.place_of_use, named, None, filing.tags)
    any_line = covers(plan, context.standing, target, context.now)
    disagreements = tuple(disagreements)
    lines = tuple(
        _decide_line(
            filing,
            target,
            any_line,
            line,
            account,
            context,
            named,
            new_evidence,
            disagreements,
            again=again,
            asked=asked,
        )
        for line in product_lines
    )
    return Decision(
        plan_number=plan.number,
        rule_book=RULE_BOOK,
        lines=lines,
        owner=owner_of(
            account,
            plan,
            context.standing,
            named,
            any_line,
            context.now,
            newcomer=_newcomer(filing, lines),
        ),
        market_region=target.region,
        market_segment=target.segment,
    )


def _newcomer(
    filing: Registration, lines: Iterable[LineDecision]
) -> tuple[str, frozenset[str]] | None:
    """The filing's partner with the lines asked for, if any of its new claims is live or open."""
    lines = tuple(lines)
    if not any(line.outcome == "open" or line.outcome in LIVE for line in lines):
        return None
    return filing.partner_id, frozenset(line.product_line for line in lines)


def _decide_line(
    filing: Registration,
    target: Target,
    any_line: Coverage,
    line: str,
    account: Account,
    context: Context,
    named: NamedAccount | None,
    new_evidence: bool,
    disagreements: tuple[Disagreement, ...],
    *,
    again: bool,
    asked: frozenset[str],
) -> LineDecision:
    plan, now = context.plan, context.now
    rejected = ineligible(filing, line, account, context, named, new_evidence)
    if rejected:
        sentences = " ".join(sentence for _, sentence in rejected)
        return LineDecision(
            line,
            "rejected",
            (Step(1, True, sentences),),
            codes=tuple(code for code, _ in rejected),
        )
    trace = [
        Step(1, False, "The registration is eligible.", {"amount_base": str(filing.amount_base)})
    ]

    former: Claim | None = None
    same = _same_claim(filing, line, account)
    if same is not None and same.live:
        trace.append(
            Step(
                2,
                True,
                "You already have a live claim on this account and product line; "
                "it keeps its place and terms.",
                {"claim": same.id},
            )
        )
        return LineDecision(line, "duplicate", tuple(trace), duplicate_of=same.id)
    if not again:
        former = same
        trace.append(
            Step(
                2,
                False,
                "You have no live claim on this account and product line."
                if former is None
                else "This filing takes the place of your earlier open or referred claim, "
                "with a new place.",
                {} if former is None else {"supersedes": former.id},
            )
        )

    coverage = covers_line(any_line, plan, context.standing, line, now)
    mine = coverage.standing_of(filing.partner_id)
    trace.append(
        coverage_step(filing, line, account, context, target, coverage, mine, disagreements)
    )
    supersedes = former.id if former else None

    exhausted = mine is None and _exhausted(coverage, asked)
    if exhausted:
        trace.append(Step(4, False, "This account is covered.", {"asked": sorted(asked)}))
        if plan.policy.referral_exhausted == "open":
            trace.append(
                Step(
                    5,
                    True,
                    "Nobody who covers this account took your referral: it is open, without "
                    "protection.",
                )
            )
            return LineDecision(line, "open", tuple(trace), supersedes=supersedes, exhausted=True)
        trace.append(
            Step(
                5,
                False,
                "Nobody who covers this account took your referral: you count as in territory.",
            )
        )
    elif not coverage.covering and mine is None:
        if coverage.direct is not None:
            trace.append(
                Step(
                    4,
                    True,
                    "Direct sales alone cover this account; your registration is referred to "
                    "its direct owner and is not protected.",
                    {"assignment": coverage.direct.assignment.id},
                )
            )
            return LineDecision(
                line,
                "referred",
                tuple(trace),
                territory_id=coverage.direct.territory.id,
                referred_kind="direct",
                referred_id=coverage.direct.assignment.direct_id,
                supersedes=supersedes,
            )
        if not plan.policy.protect_open:
            trace.append(
                Step(
                    4,
                    True,
                    "No partner covers this account: it is open to all, without protection.",
                )
            )
            return LineDecision(line, "open", tuple(trace), supersedes=supersedes)
        trace.append(
            Step(4, False, "No partner covers this account; this plan protects open accounts too.")
        )
    elif mine is None:
        trace.append(Step(4, False, "Partners cover this account."))
        return _referred(line, context, coverage, trace, supersedes, asked)
    else:
        trace.append(Step(4, False, "This account is covered."))
    if mine is not None:
        trace.append(Step(5, False, "You are in territory."))

    holder = account.taken_by(line)
    partner = plan.partners[filing.partner_id]
    territory_id = mine.territory.id if mine else None
    assignment_id = mine.assignment.id if mine else None
    if holder is None:
        start, end = window(partner, now)
        trace.append(
            Step(
                6,
                True,
                f"Nobody holds this product line here: you are protected for "
                f"{partner.protection_days} days, until {end:%Y-%m-%d %H:%M} UTC.",
            )
        )
        return LineDecision(
            line,
            "protected",
            tuple(trace),
            protected_from=start,
            protected_until=end,
            territory_id=territory_id,
            assignment_id=assignment_id,
            supersedes=supersedes,
            exhausted=exhausted,
        )
    trace.append(Step(6, False, "This product line is taken here."))
    disputed = plan.policy.overlap_cases == "disputed"
    until = (
        plan.business_days.add_business_days(now, plan.policy.objection_days) if disputed else None
    )
    waits = (
        "yours is on standby and keeps its place"
        if plan.policy.standby == "promote"
        else "yours is contested"
    )
    then = (
        ", and a conflict is opened for the vendor to settle."
        if until is None
        else f". If you object before {until:%Y-%m-%d %H:%M} UTC, a conflict is opened for the vendor "
        "to settle."
    )
    trace.append(
        Step(
            7,
            True,
            "An earlier claim holds this product line here. First to register wins: "
            + waits
            + then,
            {"holder": holder.id},
        )
    )
    return LineDecision(
        line,
        "contested",
        tuple(trace),
        territory_id=territory_id,
        assignment_id=assignment_id,
        supersedes=supersedes,
        holder=holder.id,
        exhausted=exhausted,
        object_until=until,
    )


def _same_claim(filing: Registration, line: str, account: Account) -> Claim | None:
    """Rule 2: the partner's own active claim on the line; a reseller and a distributor that name each
    other have one claim together."""
    found: Claim | None = None
    for claim in account.active():
        if claim.product_line != line:
            continue
        if claim.partner_id == filing.partner_id:
            if claim.live:
                return claim
            found = claim
        elif claim.live and joint(filing, account.registrations[claim.registration_id]):
            return claim
    return found


def joint(filing: Registration, other: Registration) -> bool:
    """Whether a reseller and its distributor name each other: they have one claim together."""
    return (
        filing.distributor_id == other.partner_id and other.reseller_id == filing.partner_id
    ) or (filing.reseller_id == other.partner_id and other.distributor_id == filing.partner_id)


def _exhausted(coverage: Coverage, asked: frozenset[str]) -> bool:
    """Whether everybody to whom the claim could be referred was asked and did not take it."""
    if not asked:
        return False
    if coverage.covering:
        return all(cover.partner_id in asked for cover in coverage.covering)
    return coverage.direct is not None and coverage.direct.assignment.direct_id in asked


def _referred(
    line: str,
    context: Context,
    coverage: Coverage,
    trace: list[Step],
    supersedes: str | None,
    asked: frozenset[str],
) -> LineDecision:
    """Rule 5: to the first active primary by specificity, else a secondary; of those not yet asked."""
    left = [cover for cover in coverage.covering if cover.partner_id not in asked]
    best = next((cover for cover in left if cover.assignment.primary), left[0])
    plan = context.plan
    target = plan.partners[best.partner_id] if best.partner_id else None
    named = f" {target.name}" if target and plan.policy.referral_names_target else ""
    trace.append(
        Step(
            5,
            True,
            "You are not in territory: your registration is not protected and is referred to the "
            f"territory partner{named}.",
            {"partner": best.partner_id, "assignment": best.assignment.id},
        )
    )
    return LineDecision(
        line,
        "referred",
        tuple(trace),
        territory_id=best.territory.id,
        referred_kind="partner",
        referred_id=best.partner_id,
        supersedes=supersedes,
    )


def amount_in_base(plan: Plan, amount: Decimal, currency: str) -> Decimal:
    """The amount in the programme's currency; 0 without a rate (rule 1 then rejects the filing)."""
    converted = plan.convert(amount, currency)
    return Decimal(0) if converted is None else converted

"""Rule 3 of the decision in words: what covers, and which unknown facts would change the answer.

The sentence is for the partner and names no other partner; the facts beside it are for staff.
"""

from dealreg_registration.domain.account import Account, Registration
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.coverage import Cover, Coverage, covers
from dealreg_registration.domain.facts import Disagreement
from dealreg_registration.domain.match import Target, in_segment
from dealreg_registration.domain.trace import Step


def coverage_step(
    filing: Registration,
    line: str,
    account: Account,
    context: Context,
    target: Target,
    coverage: Coverage,
    mine: Cover | None,
    disagreements: tuple[Disagreement, ...],
) -> Step:
    """Rule 3: what covers, in words that name no other partner."""
    if mine is not None:
        sentence = f"You cover this account through territory {mine.territory.name}."
    elif coverage.covering:
        sentence = "This account lies outside your territories."
    else:
        sentence = "No partner's territory covers this account."
    for disagreement in disagreements:
        fact = disagreement.fact.replace("_", " ")
        sentence += f" Your {fact} differs from the account's record, which counts."
    unknown = _unknown_facts(filing.partner_id, line, account, context, target, mine)
    for fact, effect in unknown.items():
        sentence += f" The account's {fact.replace('_', ' ')} is unknown: {effect}."
    return Step(
        3,
        False,
        sentence,
        {
            "territories": list(coverage.territories),
            "covering": [
                {
                    "assignment": cover.assignment.id,
                    "partner": cover.partner_id,
                    "territory": cover.territory.id,
                    "primary": cover.assignment.primary,
                    "specificity": list(cover.specificity),
                }
                for cover in coverage.covering
            ],
            "overlays": [cover.assignment.id for cover in coverage.overlays],
            "silenced": [cover.assignment.id for cover in coverage.silenced],
            "direct": coverage.direct.assignment.id if coverage.direct else None,
            "market": [target.region, target.segment],
            "disagreements": [d.fact for d in disagreements],
            "unknown": sorted(unknown),
        },
    )


def _unknown_facts(
    partner_id: str,
    line: str,
    account: Account,
    context: Context,
    target: Target,
    mine: Cover | None,
) -> dict[str, str]:
    """The facts that are unknown and would matter, and what they would change."""
    index = context.plan.territories
    unknown: dict[str, str] = {}
    if target.segment is None and index.asking_for("segment", target.country):
        possible = context.plan.possible_segments(account.facts)
        inside = [
            segment
            for segment in possible
            if covers(
                context.plan, context.standing, in_segment(target, segment, line), context.now
            ).standing_of(partner_id)
        ]
        if mine is None and inside:
            unknown["segment"] = f"as {' or '.join(inside)} you would be in territory"
        elif mine is not None and len(inside) < len(possible):
            unknown["segment"] = "knowing it may change this answer"
    for fact, value in (
        ("subdivision", target.subdivision),
        ("postal_code", target.postal),
        ("city", target.city),
        ("industry", target.naics or target.sic),
    ):
        if value is None and index.asking_for(fact, target.country):
            unknown[fact] = "some territories ask for it, so knowing it may change this answer"
    if target.country is None:
        unknown["country"] = "territories ask for it, so knowing it may change this answer"
    return unknown

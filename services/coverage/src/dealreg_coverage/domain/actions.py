"""The top five things to do: what would help most, in words, from gaps and overlaps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dealreg_coverage.domain.gaps import Gap, in_order
from dealreg_coverage.domain.overlaps import Overlap
from dealreg_coverage.domain.plan import MarketId, Plan
from dealreg_coverage.domain.rounding import per_cent, points
from dealreg_coverage.domain.score import Score

TOP = 5

_WORDS = {
    "presence": "offices and reps in the region",
    "capability": "certifications and selling to the segment",
    "track_record": "deals won here",
    "commitment": "making it a priority, filing and winning",
}


@dataclass(frozen=True, slots=True)
class Action:
    """``kind``: recruit, raise, settle or add."""

    kind: str
    priority: str
    markets: tuple[str, ...]
    text: str


def top_actions(
    plan: Plan,
    gaps: Sequence[Gap],
    overlaps: Sequence[Overlap],
    scores: Mapping[MarketId, Sequence[Score]],
) -> list[Action]:
    """Recruit where nobody is, raise what is below target, settle high overlaps, add where few are; one
    line per region and kind, each kind by its weightiest gap."""
    actions = [
        *_by_region(plan, gaps, "P1", scores),
        *_by_region(plan, gaps, "P2", scores),
        *(
            Action(
                "settle",
                "overlap",
                (str(overlap.market),),
                f"Settle the overlap in {plan.market_name(overlap.market)} "
                f"({overlap.meetings} case(s) in a year). {overlap.rule}",
            )
            for overlap in sorted(overlaps, key=lambda o: (-o.meetings, o.market))
            if overlap.risk == "High"
        ),
        *_by_region(plan, gaps, "P3", scores),
    ]
    return actions[:TOP]


def _by_region(
    plan: Plan,
    gaps: Sequence[Gap],
    priority: str,
    scores: Mapping[MarketId, Sequence[Score]],
) -> list[Action]:
    grouped: dict[str, list[Gap]] = {}
    for gap in in_order(gaps):
        if gap.priority == priority:
            grouped.setdefault(gap.market.region, []).append(gap)
    return [_action(plan, region, found, scores) for region, found in grouped.items()]


def _action(
    plan: Plan, region: str, gaps: Sequence[Gap], scores: Mapping[MarketId, Sequence[Score]]
) -> Action:
    first = gaps[0]
    name = plan.region_by_id[region].name
    segments = _list([plan.segment_by_id[gap.market.segment].name for gap in gaps])
    markets = tuple(str(gap.market) for gap in gaps)
    if first.gap_class == "High":
        return Action(
            "recruit", "P1", markets, f"Recruit in {name}: nobody covers {segments} there."
        )
    if first.gap_class == "Medium":
        return Action(
            "raise",
            "P2",
            markets,
            f"Raise {name} in {segments}: {plan.market_name(first.market)} stands at "
            f"{per_cent(first.score)}, the target is {per_cent(first.target)}. "
            + _weakest(plan, scores[first.market]),
        )
    missing = max(gap.headcount - gap.have for gap in gaps)
    return Action(
        "add",
        "P3",
        markets,
        f"Add {missing} partner(s) in {name}: {segments} have too few.",
    )


def _weakest(plan: Plan, scores: Sequence[Score]) -> str:
    """The best partner's weakest factor: where the market's score can rise most."""
    best = min(
        (entry for entry in scores if entry.counts),
        key=lambda entry: (-entry.tenths, entry.partner_id),
    )
    weights = {
        "presence": plan.weights.presence,
        "capability": plan.weights.capability,
        "track_record": plan.weights.track_record,
        "commitment": plan.weights.commitment,
    }
    factor = max(best.factors, key=lambda f: weights[f.computed.name] * (1000 - f.value))
    name = factor.computed.name
    return (
        f"{plan.partner_name(best.partner_id)} would gain most by {_WORDS[name]} "
        f"({name.replace('_', ' ')} is {points(factor.value)})."
    )


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]

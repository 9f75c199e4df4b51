"""From partners' scores to markets, regions and the programme.

A market's score is 1 - (1 - s1)(1 - s2/4)(1 - s3/8)(1 - s4/16)... with the covering partners' scores
from the best down: its best partner, raised by the others with diminishing return. It lies between the
best score and 100 %, and no score that rises can lower it: the sorted scores rise with every one of
them, and each bracket falls as its score rises.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from dealreg_coverage.domain.plan import MarketId, Plan
from dealreg_coverage.domain.rounding import half_up
from dealreg_coverage.domain.score import Score

COUNTED = 10
"""The eleventh partner could add less than a tenth of a per cent; it adds nothing."""


@dataclass(frozen=True, slots=True)
class Rollup:
    """Both numbers always go together. None: no partner has a score there.

    ``weighted`` is the mean of market scores by potential, ``mean`` the plain mean of partner scores;
    both in tenths of a per cent. ``mean_per_cent`` is the mean rounded once, to whole per cent.
    """

    weighted: int
    mean: int | None
    mean_per_cent: int | None


def market_score(scores: Iterable[int]) -> int:
    """In tenths of a per cent; 0 without a partner."""
    missing = Fraction(1)
    for place, tenths in enumerate(sorted(scores, reverse=True)[:COUNTED]):
        share = Fraction(tenths, 1000)
        missing *= 1 - (share if place == 0 else share / 2 ** (place + 1))
    return half_up(1000 * (1 - missing))


def plain_mean(scores: Sequence[Score]) -> Fraction | None:
    """Each partner's own mean over its markets, then the mean of the partners. Overlays stay out."""
    by_partner: dict[str, list[int]] = {}
    for entry in scores:
        if entry.counts:
            by_partner.setdefault(entry.partner_id, []).append(entry.tenths)
    if not by_partner:
        return None
    means = [Fraction(sum(values), len(values)) for values in by_partner.values()]
    return sum(means, Fraction(0)) / len(means)


def roll_up(
    plan: Plan, markets: Sequence[MarketId], scores: Mapping[MarketId, Sequence[Score]]
) -> Rollup:
    """A region or the programme: markets weighted by potential (alike where the plan knows none)."""
    potentials = [plan.potentials.get(market, 0) for market in markets]
    if not any(potentials):
        potentials = [1] * len(markets)
    values = [market_score(s.tenths for s in scores.get(m, ()) if s.counts) for m in markets]
    total = sum(potentials)
    weighted = (
        half_up(Fraction(sum(p * v for p, v in zip(potentials, values, strict=True)), total))
        if total
        else 0
    )
    mean = plain_mean([entry for market in markets for entry in scores.get(market, ())])
    return Rollup(
        weighted,
        None if mean is None else half_up(mean),
        None if mean is None else half_up(mean / 10),
    )

"""Whether two samples of durations can be told apart: the Mann-Whitney test, written out."""

import math
from collections import Counter
from collections.abc import Sequence


def p_value(first: Sequence[float], second: Sequence[float]) -> float:
    """Two-sided, by the normal approximation with ties and continuity; for samples of 20 and more.

    Small: one of them tends to be longer. It asks about ranks, so that single slow answers do not count.
    """
    n, m = len(first), len(second)
    counts = Counter(first) + Counter(second)
    ranks: dict[float, float] = {}
    below = 0
    for value in sorted(counts):
        ranks[value] = below + (counts[value] + 1) / 2
        below += counts[value]
    statistic = sum(ranks[value] for value in first) - n * (n + 1) / 2
    total = n + m
    ties = sum(count**3 - count for count in counts.values())
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance == 0:
        return 1.0
    distance = max(0.0, abs(statistic - n * m / 2) - 0.5)
    return math.erfc(distance / math.sqrt(variance) / math.sqrt(2))

"""How unlikely a count is, in closed form: cheap enough for every client and minute, and never an overstatement.

Counts of a rate that itself varies are negative binomial: of mean m and a rate that varies by a gamma factor of
variance v. Chernoff's bound on the upper tail is used (H. Chernoff, Annals of Mathematical Statistics 23, 1952):
log P(X >= x) <= -(x log(x/m) - (x+r) log((x+r)/(m+r))) with r = 1/v, for x > m.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

LN10 = math.log(10)


def surprise(observed: float, mean: float, variance: float) -> float:
    """Bans: P(a count of at least `observed`) is at most 10 to the minus this. 0 where it is no more than usual."""
    if observed <= mean:
        return 0.0
    if mean <= 0:
        mean = 1e-9
    size = 1 / variance
    more = observed * math.log(observed / mean) - (observed + size) * math.log((observed + size) / (mean + size))
    return max(0.0, more / LN10)


@lru_cache(maxsize=65_536)
def least_surprising(bans: float, mean: float, variance: float) -> int:
    """The smallest count whose `surprise` reaches `bans`."""
    low, high = math.floor(mean), math.floor(mean) * 2 + 8
    while surprise(high, mean, variance) < bans:
        low, high = high, high * 2
        if high > 1 << 40:
            return high
    while high - low > 1:
        middle = (low + high) // 2
        if surprise(middle, mean, variance) < bans:
            low = middle
        else:
            high = middle
    return high


def middle_and_spread(values: Sequence[float], weights: Sequence[float]) -> tuple[float, float]:
    """Weighted median, and the spread as 1.4826 times the weighted median distance from it (equal to the standard
    deviation where values are normal; half of them may be anything without moving either)."""
    middle = weighted_median(values, weights)
    return middle, 1.4826 * weighted_median([abs(value - middle) for value in values], weights)


def weighted_median(values: Sequence[float], weights: Sequence[float]) -> float:
    """The value at which half of the weight is reached; 0 of nothing."""
    half, reached, value = sum(weights) / 2, 0.0, 0.0
    for value, weight in sorted(zip(values, weights, strict=True)):
        reached += weight
        if reached >= half:
            return value
    return value

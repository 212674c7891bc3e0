"""What the test behind the forget quality can and cannot tell with so many questions."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from unlearned.metrics.utility import forget_quality

LEVEL = 0.05
"""Below this p-value two models count as told apart."""

DRAWS = 2000


@lru_cache(maxsize=64)
def critical_distance(count: int) -> float | None:
    """The smallest Kolmogorov-Smirnov distance of two samples of `count` values with p below the level.

    None where so few values can never tell two models apart.
    """
    ramp = np.arange(count, dtype=np.float64)
    low, high = 1, count + 1
    while low < high:
        middle = (low + high) // 2
        # Two ramps, one moved by k - 1/2: exactly k of `count` values lie below the other's first one.
        if forget_quality(ramp, ramp + middle - 0.5).p_value < LEVEL:
            high = middle
        else:
            low = middle + 1
    return low / count if low <= count else None


@lru_cache(maxsize=64)
def power(count: int, shift: float) -> float:
    """Share of pairs of normal samples, `shift` standard deviations apart, that the test tells apart; simulated.

    Args:
        count: values in each of the two samples.
        shift: distance of the two means, in standard deviations.
    """
    least = critical_distance(count)
    if least is None:
        return 0.0
    drawn = np.random.default_rng(0).standard_normal((DRAWS, 2 * count))
    drawn[:, count:] += shift
    steps = np.where(drawn.argsort(axis=1) < count, 1, -1)  # +1: the next value is of the first sample
    distances = np.abs(steps.cumsum(axis=1)).max(axis=1) / count
    return float((distances >= least - 1e-12).mean())

"""Two measurements made in turn, as a ratio: what a drift of the machine does to one, it does to the other."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PairedRatio:
    """Ours divided by a baseline, over pairs."""

    median: float
    low: float
    """First quartile; never below the lowest of the ratios."""

    high: float
    """Third quartile; never above the highest of the ratios."""

    ours: float
    """Median of our value."""

    theirs: float
    """Median of the baseline's."""

    pairs: int

    @classmethod
    def of(cls, pairs: Sequence[tuple[float, float]]) -> PairedRatio:
        """Sum up pairs (ours, theirs); two at least."""
        ratios = [ours / theirs for ours, theirs in pairs]
        low, median, high = statistics.quantiles(ratios, n=4, method="inclusive")
        ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
        return cls(median, low, high, ours, theirs, len(pairs))


def seconds(work: Callable[[], object]) -> float:
    """How long the work takes, by the clock."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turn(ours: Callable[[], float], theirs: Callable[[], float], repeats: int) -> PairedRatio:
    """Measure pairs, and let the two take turns in who is first; a pair before the counted ones only warms up."""
    pairs = [(ours(), theirs()) if turn % 2 else (theirs(), ours())[::-1] for turn in range(repeats + 1)]
    return PairedRatio.of(pairs[1:])

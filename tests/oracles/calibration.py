"""Thresholds found by trying every interval between neighbouring scores, and prediction sets written out."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

Gap = tuple[float, float]


def errors(forget: Sequence[float], negatives: Sequence[float], threshold: float) -> float:
    """FNR + FPR when everything at or above the threshold is flagged."""
    missed = sum(1 for score in forget if score < threshold)
    return missed / len(forget) + rate(negatives, threshold)


def noise(forget: Sequence[float], negatives: Sequence[float], threshold: float) -> float:
    """Standard error of `errors`, from the spread of single mistakes; at least half a forget example."""
    missed = [float(score < threshold) for score in forget]
    flagged = [float(score >= threshold) for score in negatives]
    of_means = [statistics.pvariance(mistakes) / len(mistakes) for mistakes in (missed, flagged) if mistakes]
    return max(math.sqrt(sum(of_means)), 0.5 / len(forget))


def rate(negatives: Sequence[float], threshold: float) -> float:
    return sum(1 for score in negatives if score >= threshold) / max(1, len(negatives))


def gaps(scores: Sequence[float], least_threshold: float) -> list[Gap]:
    edges = sorted({least_threshold, 1.0, *(score for score in scores if score > least_threshold)})
    return list(zip(edges[:-1], edges[1:], strict=True))


def fewest_errors(
    forget: Sequence[float], close: Sequence[float], general: Sequence[float], max_fpr: float, least_threshold: float
) -> float:
    """Among the gaps that keep the bound and err least, give or take one standard error: the one nearest to 1/2."""
    found = gaps([*forget, *close, *general], least_threshold)
    bound = max(max_fpr, min(rate(general, middle(gap)) for gap in found))
    allowed = [gap for gap in found if rate(general, middle(gap)) <= bound]
    compared = close or general
    best = min(allowed, key=lambda gap: errors(forget, compared, middle(gap)))
    least, slack = errors(forget, compared, middle(best)), noise(forget, compared, middle(best))
    good = [gap for gap in allowed if errors(forget, compared, middle(gap)) - least <= slack + 1e-12]
    if any(low < 0.5 < high for low, high in good):
        return 0.5
    return min((middle(gap) for gap in good), key=lambda threshold: abs(threshold - 0.5))


def lowest_gap(close: Sequence[float], general: Sequence[float], max_fpr: float, least_threshold: float) -> Gap:
    """The lowest interval of thresholds that flag no larger share of either side."""
    found = gaps([*close, *general], least_threshold)
    bounds = {
        id(side): max(max_fpr, min(rate(side, middle(gap)) for gap in found)) for side in (close, general) if side
    }
    sides = [side for side in (close, general) if side]
    return next(gap for gap in found if all(rate(side, middle(gap)) <= bounds[id(side)] for side in sides))


def middle(gap: Gap) -> float:
    return (gap[0] + gap[1]) / 2


def quantile(scores: Sequence[float], alpha: float) -> float:
    """The smallest number that a share of 1 - alpha of the scores and one infinite score does not exceed."""
    extended = sorted([*scores, math.inf])
    for score in extended:
        if sum(1 for other in extended if other <= score) >= (1 - alpha) * len(extended) - 1e-9:
            return score
    raise AssertionError


def prediction_set(p_forget: float, limit: float) -> set[str]:
    """Every label whose nonconformity, 1 - p(label), is within the limit."""
    return {label for label, p in (("forget", p_forget), ("other", 1 - p_forget)) if 1 - p <= limit}

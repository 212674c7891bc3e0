"""The threshold with the fewest errors, by trying all of them."""

from __future__ import annotations

from collections.abc import Sequence


def errors(forget: Sequence[float], negatives: Sequence[float], threshold: float) -> float:
    """FNR + FPR when everything at or above the threshold is flagged."""
    missed = sum(1 for score in forget if score < threshold)
    flagged = sum(1 for score in negatives if score >= threshold)
    return missed / len(forget) + flagged / len(negatives)


def best_gap(forget: Sequence[float], negatives: Sequence[float]) -> tuple[float, float]:
    """The widest interval between neighbouring scores (or 0, or 1) inside which a threshold errs least."""
    edges = sorted({0.0, 1.0, *map(float, forget), *map(float, negatives)})
    gaps = list(zip(edges[:-1], edges[1:], strict=True))
    least = min(errors(forget, negatives, (low + high) / 2) for low, high in gaps)
    best = [gap for gap in gaps if errors(forget, negatives, sum(gap) / 2) <= least + 1e-12]
    return max(best, key=lambda gap: gap[1] - gap[0])

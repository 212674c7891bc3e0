"""The threshold with the fewest errors, by trying all of them."""

from __future__ import annotations

from collections.abc import Sequence


def errors(forget: Sequence[float], negatives: Sequence[float], threshold: float) -> float:
    """FNR + FPR when everything at or above the threshold is flagged."""
    missed = sum(1 for score in forget if score < threshold)
    flagged = sum(1 for score in negatives if score >= threshold)
    return missed / len(forget) + flagged / len(negatives)


def best_gap(
    forget: Sequence[float],
    close: Sequence[float],
    general: Sequence[float],
    max_fpr: float,
    least_threshold: float,
) -> tuple[float, float]:
    """The widest interval between neighbouring scores (or the ends) inside which a threshold errs least."""
    scores = map(float, [*forget, *close, *general])
    edges = sorted({least_threshold, 1.0, *(score for score in scores if score > least_threshold)})
    gaps = list(zip(edges[:-1], edges[1:], strict=True))

    def fpr(gap: tuple[float, float]) -> float:
        return sum(1 for score in general if score >= sum(gap) / 2) / max(1, len(general))

    bound = max(max_fpr, min(fpr(gap) for gap in gaps))
    allowed = [gap for gap in gaps if fpr(gap) <= bound]
    compared = close or general
    least = min(errors(forget, compared, sum(gap) / 2) for gap in allowed)
    best = [gap for gap in allowed if errors(forget, compared, sum(gap) / 2) <= least + 1e-12]
    return max(best, key=lambda gap: gap[1] - gap[0])

"""Metrics written as their formulas read, one item and one token at a time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

Row = Sequence[float]


def mean_loss(log_probabilities: Row) -> float:
    total = 0.0
    for value in log_probabilities:
        total -= value
    return total / len(log_probabilities)


def normalised_probability(answer: float, wrong: Row) -> float:
    return math.exp(-answer) / (math.exp(-answer) + sum(math.exp(-loss) for loss in wrong))


def truth_ratio(true: float, wrong: Row, arithmetic: bool = False) -> float:
    probabilities = [math.exp(-loss) for loss in wrong]
    middle = sum(probabilities) / len(wrong) if arithmetic else math.prod(probabilities) ** (1 / len(wrong))
    return middle / math.exp(-true)


def ks_statistic(x: Row, y: Row) -> float:
    return max(
        abs(sum(a <= cut for a in x) / len(x) - sum(b <= cut for b in y) / len(y)) for cut in itertools.chain(x, y)
    )


def ks_p_value(x: Row, y: Row) -> float:
    """Share of all ways to split the joint sample that are at least as far apart. For values without ties."""
    observed, pool = ks_statistic(x, y), [*x, *y]
    splits = list(itertools.combinations(range(len(pool)), len(x)))
    further = 0
    for chosen in splits:
        first = [pool[i] for i in chosen]
        second = [pool[i] for i in range(len(pool)) if i not in chosen]
        further += ks_statistic(first, second) >= observed - 1e-12
    return further / len(splits)


def ranks(values: Row) -> list[float]:
    return [sum(b < a for b in values) + (sum(b == a for b in values) + 1) / 2 for a in values]


def correlation(x: Row, y: Row) -> float:
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    across = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return across / math.sqrt(sum((a - mean_x) ** 2 for a in x) * sum((b - mean_y) ** 2 for b in y))


def signed_rank_p_value(differences: Row) -> float:
    """Over all signs of the ranks; for differences without ties and zeros."""
    positions = ranks([abs(d) for d in differences])
    up = sum(r for r, d in zip(positions, differences, strict=True) if d > 0)
    observed = min(up, sum(positions) - up)
    low = [sum(itertools.compress(positions, signs)) for signs in itertools.product((0, 1), repeat=len(positions))]
    return min(1.0, 2 * sum(value <= observed for value in low) / len(low))


def auc(forget: Row, holdout: Row) -> float:
    wins = sum((b > a) + 0.5 * (b == a) for a in forget for b in holdout)
    return wins / (len(forget) * len(holdout))


def auc_error(forget: Row, holdout: Row) -> float:
    """DeLong: variance of each text's mean win over the texts of the other kind."""
    of_forget = [sum((b > a) + 0.5 * (b == a) for b in holdout) / len(holdout) for a in forget]
    of_holdout = [sum((b > a) + 0.5 * (b == a) for a in forget) / len(forget) for b in holdout]
    return math.sqrt(_variance(of_forget) / len(forget) + _variance(of_holdout) / len(holdout))


def _variance(values: Row) -> float:
    middle = sum(values) / len(values)
    return sum((value - middle) ** 2 for value in values) / (len(values) - 1)


def longest_common_subsequence(x: Sequence[str], y: Sequence[str]) -> int:
    if not x or not y:
        return 0
    if x[-1] == y[-1]:
        return 1 + longest_common_subsequence(x[:-1], y[:-1])
    return max(longest_common_subsequence(x[:-1], y), longest_common_subsequence(x, y[:-1]))


def extraction_strength(predicted: Sequence[int], targets: Sequence[int]) -> float:
    for prefix in range(len(targets) + 1):
        if list(predicted[prefix:]) == list(targets[prefix:]):
            return 1 - prefix / len(targets)
    raise AssertionError


def cosine(x: Row, y: Row) -> float:
    dot = sum(a * b for a, b in zip(x, y, strict=True))
    return dot / math.sqrt(sum(a * a for a in x) * sum(b * b for b in y))


def bert_score_f1(generated: Sequence[Row], reference: Sequence[Row]) -> float:
    precision = sum(max(cosine(a, b) for b in reference) for a in generated) / len(generated)
    recall = sum(max(cosine(a, b) for a in generated) for b in reference) / len(reference)
    return 2 * precision * recall / (precision + recall)

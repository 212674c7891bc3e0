"""Does the unlearned model treat each question as the retained model does? Paired, where forget quality is not.

A Kolmogorov-Smirnov test is content with the right values on the wrong questions; these are not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from unlearned.errors import DataError
from unlearned.metrics.estimate import CONFIDENCE, Doubles, Estimate, checked, mean, same_length


@dataclass(frozen=True, slots=True)
class SignedRank:
    """Wilcoxon's test that paired differences are symmetric around 0."""

    p_value: float
    statistic: float
    """The smaller of the two sums of ranks."""

    differing: int
    """Pairs that are not equal; only they count."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two models agree, question by question."""

    spearman: Estimate | None
    """Rank correlation; None where one model gives every question the same value."""

    distance: Estimate
    """Mean |log R_u - log R_r|, in nats; 0 = the same truth ratios."""

    shift: Estimate
    """Mean log R_u - log R_r; above 0 = further from the truth than the retained model."""

    signed_rank: SignedRank


def agreement(unlearned: npt.ArrayLike, retained: npt.ArrayLike) -> Agreement:
    """Compare two models on the same questions.

    Args:
        unlearned: (N,) log R of the unlearned model.
        retained: (N,) of the retained one, in the same order.

    Raises:
        DataError: they are empty, not finite or of different lengths.
    """
    first, second = _pairs(unlearned, retained)
    constant = np.ptp(first) == 0 or np.ptp(second) == 0 or len(first) < 2
    return Agreement(
        None if constant else spearman(first, second),
        mean(np.abs(first - second)),
        mean(first - second),
        signed_rank(first, second),
    )


def spearman(first: npt.ArrayLike, second: npt.ArrayLike) -> Estimate:
    """Rank correlation, ties sharing their mean rank.

    The interval is Fisher's z with the variance (1 + r^2 / 2) / (N - 3). Source: Bonett and Wright 2000,
    doi:10.1007/BF02294183.

    Args:
        first: (N,) one value per item.
        second: (N,) of the same items.

    Raises:
        DataError: shapes differ, there are fewer than two items, or one side is constant.
    """
    x, y = _pairs(first, second)
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        raise DataError("A rank correlation needs two items at least, and different values on both sides.")
    from scipy.stats import rankdata

    r = float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])
    if 1 - abs(r) < 1e-12:  # the same order up to rounding, where the transform is infinite
        r = math.copysign(1, r)
    if len(x) < 4:
        return Estimate(r, None, len(x), None)
    if abs(r) == 1:
        return Estimate(r, 0.0, len(x), (r, r))
    spread = math.sqrt((1 + r * r / 2) / (len(x) - 3))
    reach = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * spread
    low, high = math.tanh(math.atanh(r) - reach), math.tanh(math.atanh(r) + reach)
    return Estimate(r, (1 - r * r) * spread, len(x), (low, high))


def signed_rank(first: npt.ArrayLike, second: npt.ArrayLike) -> SignedRank:
    """Wilcoxon's signed-rank test, two-sided; pairs that are equal are left out (p = 1 if all are).

    Args:
        first: (N,) one value per item.
        second: (N,) of the same items.

    Raises:
        DataError: they are empty, not finite or of different lengths.
    """
    x, y = _pairs(first, second)
    differences = x - y
    differences = differences[differences != 0]
    if not len(differences):
        return SignedRank(1.0, 0.0, 0)
    from scipy.stats import wilcoxon

    found = wilcoxon(differences)
    return SignedRank(float(found.pvalue), float(found.statistic), len(differences))


def over_forgotten(original: npt.ArrayLike, unlearned: npt.ArrayLike, retained: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Has unlearning overshot: past the retained model's value, and by more than it was away before?

    Such an item still tells that it was in the training data, only by the opposite sign.

    Args:
        original: (N,) one value per item, before unlearning.
        unlearned: (N,) after it.
        retained: (N,) of the model that never saw the data.

    Returns:
        (N,) True where the unlearned value is on the other side of the retained one than the original, and further off.

    Raises:
        DataError: they are empty, not finite or of different lengths.
    """
    start, target = _pairs(original, retained)
    after, _ = _pairs(unlearned, retained)
    gap, overshoot = start - target, after - target
    return np.asarray((gap * overshoot < 0) & (np.abs(overshoot) > np.abs(gap)))


def _pairs(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[Doubles, Doubles]:
    x, y = checked(first, "values"), checked(second, "values of the other model")
    same_length(x, y, "the two models")
    return x, y

"""Membership inference: could one tell from the model which texts it was trained on? And PrivLeak.

Every score is oriented so that HIGHER = less likely a member. The AUC has forget texts as 0 and holdout texts as 1: 1 =
forget texts look memorised, 0.5 = nobody can tell. MUSE stores 1 minus this. Source: open-unlearning (arXiv:2506.12618)
and MUSE (arXiv:2407.06460).
"""

from __future__ import annotations

import math
import zlib

import numpy as np
import numpy.typing as npt

from unlearned.errors import ConfigError, DataError
from unlearned.metrics.estimate import CONFIDENCE, Doubles, Estimate, checked, same_length
from unlearned.metrics.probability import mean_loss, token_log_probabilities

SHARE = 0.4
"""k of Min-K%, as a share of the tokens."""

LEAST_VARIANCE = 1e-6
RETAINED_AUC = 0.5
"""Taken for a retained model that is not at hand."""


def loss_score(log_probabilities: npt.ArrayLike) -> float:
    """LOSS: the mean loss over all (T,) targets."""
    return mean_loss(log_probabilities)


def zlib_score(log_probabilities: npt.ArrayLike, text: str) -> float:
    """ZLib: the mean loss over all (T,) targets, divided by the bytes of the compressed target text."""
    return mean_loss(log_probabilities) / len(zlib.compress(text.encode()))


def reference_score(log_probabilities: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Reference: the mean loss over all (T,) targets minus that of another model, which may have other tokens."""
    return mean_loss(log_probabilities) - mean_loss(reference)


def min_k(log_probabilities: npt.ArrayLike, *, share: float = SHARE, drop_last: bool = True) -> float:
    """Min-K%: minus the mean of the smallest log-probabilities.

    Departs from open-unlearning, which gives 0 for a text without tokens: here that is an error.

    Args:
        log_probabilities: (T,) of the targets.
        share: of the tokens that are taken, rounded down, one at least; in (0, 1].
        drop_last: leave out the last target (the end of sequence).

    Raises:
        ConfigError: the share is out of range.
        DataError: no target is left, or a value is not finite.
    """
    return _smallest(_dropped(token_log_probabilities(log_probabilities), drop_last), share)


def min_k_plus_plus(
    log_probabilities: npt.ArrayLike,
    means: npt.ArrayLike,
    variances: npt.ArrayLike,
    *,
    share: float = SHARE,
    drop_last: bool = True,
) -> float:
    """Min-K%++: the same of z = (lp - mu) / sigma, how surprising the token is among all that could stand there.

    Args:
        log_probabilities: (T,) of the targets.
        means: (T,) mu = sum_v p log p over the whole vocabulary; see `moments`.
        variances: (T,) sum_v p (log p)^2 - mu^2.
        share: as in `min_k`.
        drop_last: as in `min_k`.

    Raises:
        ConfigError: the share is out of range.
        DataError: shapes differ, no target is left, or a value is not finite.
    """
    values = token_log_probabilities(log_probabilities)
    mu, variance = checked(means, "means"), checked(variances, "variances")
    same_length(values, mu, "log-probabilities and means")
    same_length(values, variance, "log-probabilities and variances")
    z = (values - mu) / np.sqrt(np.maximum(variance, LEAST_VARIANCE))
    return _smallest(_dropped(z, drop_last), share)


def moments(log_probabilities: npt.ArrayLike) -> tuple[Doubles, Doubles]:
    """Mean and variance of log p under p, position by position.

    Args:
        log_probabilities: (T, V) over the whole vocabulary; -inf where p = 0.

    Returns:
        (T,) mu and (T,) variance.

    Raises:
        DataError: not (T, V), or a row does not sum to 1.
    """
    logs = np.asarray(log_probabilities, dtype=np.float64)
    if logs.ndim != 2 or not logs.size:
        raise DataError(f"Log-probabilities of shape {logs.shape}; they must be (T, V).")
    p = np.exp(logs)
    if not np.allclose(p.sum(axis=1), 1, atol=1e-3):
        raise DataError("A row of probabilities does not sum to 1. Give log-softmax over the whole vocabulary.")
    finite = np.where(p > 0, logs, 0.0)
    mu = (p * finite).sum(axis=1)
    return mu, (p * finite**2).sum(axis=1) - mu**2


def auc(forget_scores: npt.ArrayLike, holdout_scores: npt.ArrayLike) -> Estimate:
    """P(a holdout text scores higher than a forget text), ties counting one half; error after DeLong et al. 1988.

    Args:
        forget_scores: (N,) of texts that the original model was trained on.
        holdout_scores: (M,) of texts of the same kind that no model was trained on.

    Returns:
        `count` is N + M.

    Raises:
        DataError: one of the two is empty or not finite.
    """
    forget, holdout = checked(forget_scores, "forget scores"), checked(holdout_scores, "holdout scores")
    of_forget = 1 - _below(holdout, forget) / len(holdout)  # (N,) share of holdout texts above each forget text
    of_holdout = _below(forget, holdout) / len(forget)  # (M,) share of forget texts below each holdout text
    value, count = float(of_holdout.mean()), len(forget) + len(holdout)
    if min(len(forget), len(holdout)) == 1:
        return Estimate(value, None, count, None)
    error = math.sqrt(float(of_forget.var(ddof=1)) / len(forget) + float(of_holdout.var(ddof=1)) / len(holdout))
    from scipy.stats import norm

    reach = float(norm.ppf((1 + CONFIDENCE) / 2)) * error
    return Estimate(value, error, count, (max(0.0, value - reach), min(1.0, value + reach)))


def privleak(unlearned_auc: float, retained_auc: float = RETAINED_AUC) -> float:
    """100 [(1 - A) - (1 - A_r)] / (1 - A_r): near -100 = still memorised, 0 = as retained, above = over-unlearned.

    Args:
        unlearned_auc: A, oriented as above, of Min-40%.
        retained_auc: A_r of the model trained without the forget texts.

    Raises:
        DataError: one is outside [0, 1].
    """
    a, r = _rate(unlearned_auc), _rate(retained_auc)
    return 100 * ((1 - a) - (1 - r)) / (1 - r + 1e-10)


def relative_difference(unlearned_auc: float, retained_auc: float) -> float:
    """100 (A - A_r) / A_r, in percent."""
    a, r = _rate(unlearned_auc), _rate(retained_auc)
    return 100 * (a - r) / (r + 1e-10)


def _rate(value: float) -> float:
    if not 0 <= value <= 1:  # also NaN
        raise DataError(f"An AUC of {value:g} is outside 0 to 1.")
    return value


def _dropped(values: Doubles, drop_last: bool) -> Doubles:
    kept = values[:-1] if drop_last else values
    if not len(kept):
        raise DataError("No target token is left, so the text has no membership score. Leave it out.")
    return kept


def _smallest(values: Doubles, share: float) -> float:
    if not 0 < share <= 1:
        raise ConfigError(f"share={share:g}: must be above 0 and at most 1, for example {SHARE}.")
    count = max(1, math.floor(share * len(values)))
    return float(-np.sort(values)[:count].mean())


def _below(sample: Doubles, values: Doubles) -> Doubles:
    """How many of the sample are below each value, equal ones counting one half."""
    ordered = np.sort(sample)
    low, high = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    return np.asarray((low + high) / 2, dtype=np.float64)

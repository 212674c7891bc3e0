"""TOFU's truth ratio R = P(wrong) / P(paraphrased truth), on the logarithm, where nothing overflows.

R < 1: the model prefers the true statement. Source: arXiv:2401.06121, section 2.2.2, and `aggregate_eval_stat.py` of
its code. The paper's text takes the arithmetic mean over wrong answers, its evaluation code and published logs the
geometric one; the latter is the default here.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from unlearned.errors import ConfigError, DataError
from unlearned.metrics.estimate import Doubles, checked, same_length

Mean = Literal["geometric", "arithmetic"]
"""Over the probabilities of the wrong answers."""

Aggregator = Literal["min", "clip", "prob_mean", "one_minus_min"]
"""How one R becomes a score: min(R, 1/R), max(0, 1 - R), 1/(1 + R), or 1 - min(R, 1/R)."""

LARGEST_LOG = math.log(np.finfo(np.float64).max)


def log_truth_ratio(true_losses: npt.ArrayLike, wrong_losses: npt.ArrayLike, *, mean: Mean = "geometric") -> Doubles:
    """log R = Lbar(a~) + log of the mean over k of P(a'_k).

    Args:
        true_losses: (N,) mean losses of the paraphrased answers (of the answers where there is no paraphrase).
        wrong_losses: (N, K) of the perturbed answers.
        mean: geometric: exp of the mean log-probability; arithmetic: of the probabilities themselves (never smaller).

    Returns:
        (N,) any sign.

    Raises:
        ConfigError: unknown mean.
        DataError: shapes differ, or a value is not finite.
    """
    true = checked(true_losses, "losses of true answers")
    wrong = checked(wrong_losses, "losses of wrong answers", dimensions=2)
    same_length(true, wrong, "true and wrong answers")
    if mean == "geometric":
        return np.asarray(true - wrong.mean(axis=1))
    if mean == "arithmetic":
        least = wrong.min(axis=1)
        return np.asarray(true - least + np.log(np.exp(least[:, None] - wrong).mean(axis=1)))
    raise ConfigError(f"mean={mean!r}: must be one of {', '.join(get_args(Mean))}.")


def truth_ratio(true_losses: npt.ArrayLike, wrong_losses: npt.ArrayLike, *, mean: Mean = "geometric") -> Doubles:
    """(N,) R itself; as `log_truth_ratio`, and a `DataError` where it is too large to be written down."""
    logs = log_truth_ratio(true_losses, wrong_losses, mean=mean)
    if (largest := float(logs.max())) > LARGEST_LOG:
        raise DataError(f"A truth ratio of exp({largest:g}) is too large. Are these mean losses per token?")
    return np.asarray(np.exp(logs))


def truth_ratio_scores(log_ratios: npt.ArrayLike, aggregator: Aggregator) -> Doubles:
    """The per-item score of which reports give the mean.

    Args:
        log_ratios: (N,) log R.
        aggregator: "min" for the forget set (1 = cannot tell true from false); "clip" for all others (1 = prefers the
            true statement); "prob_mean" = P(true) / [P(true) + P(wrong)], of open-unlearning since December 2025;
            "one_minus_min" where a high score is to mean that the model still knows.

    Returns:
        (N,) in [0, 1].

    Raises:
        ConfigError: unknown aggregator.
    """
    logs = checked(log_ratios, "log truth ratios")
    if aggregator == "min":
        return np.asarray(np.exp(-np.abs(logs)))
    if aggregator == "clip":
        return np.asarray(-np.expm1(np.minimum(logs, 0)))
    if aggregator == "prob_mean":
        return np.asarray(0.5 * (1 - np.tanh(logs / 2)))
    if aggregator == "one_minus_min":
        return np.asarray(-np.expm1(-np.abs(logs)))
    raise ConfigError(f"aggregator={aggregator!r}: must be one of {', '.join(get_args(Aggregator))}.")

"""How probable an answer is: from the log-probabilities of its tokens, in nats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from unlearned.errors import DataError
from unlearned.metrics.estimate import Doubles, checked, same_length

ROUNDING = 1e-3
"""A log-probability may be above 0 by this much: log-softmax in half precision is that inexact."""


def mean_loss(log_probabilities: npt.ArrayLike) -> float:
    """Lbar(y|x) = -(1/n) sum_i log p(y_i | x, y_<i), summed in float64.

    Args:
        log_probabilities: (T,) of the target tokens, the end-of-sequence token among them.

    Raises:
        DataError: there is no target, or a log-probability is not finite or above 0.
    """
    return float(-token_log_probabilities(log_probabilities).mean())


def mean_losses(log_probabilities: Sequence[npt.ArrayLike]) -> Doubles:
    """(N,) mean loss of each of N answers, which may be of different lengths."""
    return checked([mean_loss(tokens) for tokens in log_probabilities], "answers")


def probability(losses: npt.ArrayLike) -> Doubles:
    """P(y|x) = exp(-Lbar): the geometric mean of the token probabilities.

    Args:
        losses: (N,) mean losses of N answers.

    Returns:
        (N,) in (0, 1].
    """
    return np.asarray(np.exp(-checked(losses, "losses")))


def normalised_probability(answer_losses: npt.ArrayLike, wrong_losses: npt.ArrayLike) -> Doubles:
    """P(a) / [P(a) + sum_k P(a'_k)], without ever forming a probability that underflows.

    Source: code and data of TOFU, arXiv:2401.06121. A later paper prints the denominator without P(a).

    Args:
        answer_losses: (N,) mean losses of the right answers.
        wrong_losses: (N, K) of K wrong ones each.

    Returns:
        (N,) in (0, 1).

    Raises:
        DataError: shapes differ, or a value is not finite.
    """
    answer = checked(answer_losses, "losses of answers")
    wrong = checked(wrong_losses, "losses of wrong answers", dimensions=2)
    same_length(answer, wrong, "answers and wrong answers")
    return np.asarray(1 / (1 + np.exp(np.minimum(answer[:, None] - wrong, 700)).sum(axis=1)))  # exp(710) overflows


def token_log_probabilities(values: npt.ArrayLike) -> Doubles:
    """(T,) log-probabilities as float64; `DataError` if there are none or one cannot be a log-probability."""
    array = checked(values, "log-probabilities of tokens")
    if (largest := float(array.max())) > ROUNDING:
        raise DataError(f"A log-probability of {largest:g} is above 0. Give log-probabilities, not losses or logits.")
    return array

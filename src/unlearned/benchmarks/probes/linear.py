"""A linear probe: can a label be read out of features, on questions that the probe was not fitted with?

Source: Liu et al. 2024, arXiv:2406.07933, on logits with scikit-learn's defaults, first half against second half.
Departs from it: hidden states of every layer, too; cross-validation that keeps a question's prompts together;
standardised features, without which the larger of them decide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from unlearned.benchmarks.probes.config import ProbeConfig
from unlearned.errors import DataError
from unlearned.extras import require
from unlearned.metrics.estimate import CONFIDENCE, Doubles, Estimate, exact_interval, mean

COLUMNS = 8192
"""Features that are looked at together, so that a vocabulary of logits needs little memory."""


def read_out(
    features: npt.NDArray[np.float32], labels: Sequence[Hashable], groups: Sequence[Hashable], config: ProbeConfig
) -> npt.NDArray[np.bool_]:
    """Whether each row's label was read out by a probe that was fitted without the rows of its group.

    Args:
        features: (N, F).
        labels: (N,) at least two different ones, each of at least two groups.
        groups: (N,) rows of one group are never both fitted with and asked.
        config: how.

    Returns:
        (N,) bool.

    Raises:
        DataError: a label has too few groups, or a feature is not finite.
        MissingExtraError: scikit-learn is not installed.
    """
    linear_model = require("sklearn.linear_model", extra="logistic", purpose="A linear probe")
    model_selection = require("sklearn.model_selection", extra="logistic", purpose="A linear probe")
    if not np.isfinite(features).all():
        raise DataError("Hidden states or logits are not finite. Load the model in bfloat16 or float32.")
    members: dict[Hashable, set[Hashable]] = {}
    for label, group in zip(labels, groups, strict=True):
        members.setdefault(label, set()).add(group)
    fewest = min(len(found) for found in members.values())
    if len(members) < 2 or fewest < 2:
        raise DataError("A probe needs two labels, and each of them two questions.")
    numbers = {label: number for number, label in enumerate(members)}
    y = np.array([numbers[label] for label in labels])
    places = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    parted = np.array([places[group] for group in groups])
    reduced = compact(features)
    folds = model_selection.StratifiedGroupKFold(min(config.folds, fewest), shuffle=True, random_state=config.seed)
    right = np.zeros(len(y), dtype=np.bool_)
    for fitted, asked in folds.split(reduced, y, parted):
        probe = linear_model.LogisticRegression(C=config.c, max_iter=2000)
        probe.fit(reduced[fitted], y[fitted])
        right[asked] = probe.predict(reduced[asked]) == y[asked]
    return right


def compact(features: npt.NDArray[np.float32]) -> Doubles:
    """(N, F) -> (N, R), R < N: standardised features in the coordinates of the space that the rows span.

    A rotation, so that a probe with an L2 penalty finds exactly the same; but with a vocabulary of logits, 100 times
    faster. Only products of rows with each other are needed.
    """
    count = len(features)
    products = np.zeros((count, count))
    for start in range(0, features.shape[1], COLUMNS):
        block = features[:, start : start + COLUMNS].astype(np.float64)
        block -= block.mean(axis=0)
        deviation = block.std(axis=0)
        block = block[:, deviation > 0] / deviation[deviation > 0]
        products += block @ block.T
    values, vectors = np.linalg.eigh(products)
    kept = values > max(values.max(initial=0.0), 1.0) * 1e-10
    if not kept.any():
        return np.zeros((count, 1))  # the same features everywhere: there is nothing to read out
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


def guessing(labels: Sequence[Hashable], questions: int) -> Estimate:
    """What one who always says the most frequent label scores on so many questions, with the exact binomial interval.

    With letters that stand equally often, as in `Asked`, that is 1 / #options.
    """
    from scipy.stats import binom

    share = max(Counter(labels).values()) / len(labels)
    low, high = binom.ppf([(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], questions, share) / questions
    return Estimate(share, None, questions, (float(low), float(high)))


def share(values: Sequence[float]) -> Estimate:
    """The mean of shares: with the exact interval of Clopper and Pearson, where each is 0 or 1.

    Student's interval would reach above 1 near it. Where questions have several prompts, their shares lie between.
    """
    estimate = mean(values, "shares")
    if not all(value in (0.0, 1.0) for value in values):
        return estimate
    return replace(estimate, interval=exact_interval(round(sum(values)), len(values)))

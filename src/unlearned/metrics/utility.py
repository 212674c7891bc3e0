"""TOFU's two headline numbers: model utility (is the rest intact?) and forget quality (is the forget set gone?)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from unlearned.errors import ConfigError, DataError
from unlearned.metrics.estimate import DRAWS, Doubles, Estimate, bootstrap, checked

COMPONENTS = 9
"""Parts of the model utility: {probability, ROUGE-L recall, truth ratio} x {retain, real authors, world facts}."""

Method = Literal["auto", "exact", "asymp"]
"""How the p-value is computed; "auto" is exact for up to 10,000 items."""


def harmonic_mean(values: npt.ArrayLike) -> float:
    """C / sum(1/v); 0 as soon as one value is 0.

    Args:
        values: (C,) none below 0.

    Raises:
        DataError: there is none, or one is negative or not finite.
    """
    array = checked(values, "values of a harmonic mean")
    if (least := float(array.min())) < 0:
        raise DataError(f"A harmonic mean of {least:g} and others is not defined. Give values of at least 0.")
    return float(_harmonic_means(array[None])[0])


def model_utility(components: npt.ArrayLike) -> float:
    """Harmonic mean of exactly nine numbers; forget numbers are never among them.

    Source: arXiv:2401.06121, as its `aggregate_eval_stat.py` computes it.

    Raises:
        DataError: there are not nine, or one is negative or not finite.
    """
    array = checked(components, "components of model utility")
    if len(array) != COMPONENTS:
        raise DataError(f"Model utility is made of {COMPONENTS} numbers; there are {len(array)}.")
    return harmonic_mean(array)


def model_utility_estimate(tables: Sequence[npt.ArrayLike], *, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """Model utility with a bootstrap error over the questions of each set.

    Args:
        tables: three of (N_i, 3): per question of a set, the probability, ROUGE-L recall and truth-ratio score.
        draws: bootstrap samples.
        seed: of the generator.

    Raises:
        DataError: the tables do not have nine columns in all, or a value is negative or not finite.
    """
    arrays = [checked(table, "scores of a set", dimensions=2) for table in tables]
    if (columns := sum(array.shape[1] for array in arrays)) != COMPONENTS:
        raise DataError(f"Model utility is made of {COMPONENTS} columns; there are {columns}.")
    if (least := min(float(array.min()) for array in arrays)) < 0:
        raise DataError(f"A score of {least:g} is below 0.")
    return bootstrap(arrays, _harmonic_means, draws=draws, seed=seed)


@dataclass(frozen=True, slots=True)
class ForgetQuality:
    """Two-sample, two-sided Kolmogorov-Smirnov test."""

    p_value: float
    """The forget quality: 1 = the two models cannot be told apart by their truth ratios."""

    statistic: float
    """D: the largest distance of the two distribution functions."""

    counts: tuple[int, int]
    """Items of the unlearned and of the retained model."""

    @property
    def log10(self) -> float:
        """-inf where the p-value is below the smallest double."""
        return math.log10(self.p_value) if self.p_value > 0 else -math.inf


def forget_quality(unlearned: npt.ArrayLike, retained: npt.ArrayLike, *, method: Method = "auto") -> ForgetQuality:
    """Are the truth ratios of the two models drawn from one distribution?

    Source: arXiv:2401.06121. The test only reads the order of values, so R, 1/R and log R give the same;
    the folded min(R, 1/R) does not. It does not know which question a value belongs to: see `agreement`.

    Args:
        unlearned: (N,) R or log R of the unlearned model on the forget set.
        retained: (M,) of the model that was trained without it.
        method: "asymp" only to compare with numbers that were computed that way.

    Raises:
        ConfigError: unknown method.
        DataError: one of the two is empty or not finite.
    """
    first, second = checked(unlearned, "truth ratios"), checked(retained, "truth ratios of the retained model")
    if method not in get_args(Method):
        raise ConfigError(f"method={method!r}: must be one of {', '.join(get_args(Method))}.")
    from scipy.stats import ks_2samp

    with warnings.catch_warnings():
        # At a statistic near 0 the exact sum fails, and SciPy takes the asymptotic value: 1 to machine precision there.
        warnings.filterwarnings("ignore", message="ks_2samp: Exact calculation unsuccessful", category=RuntimeWarning)
        found = ks_2samp(first, second, alternative="two-sided", method=method)
    return ForgetQuality(float(found.pvalue), float(found.statistic), (len(first), len(second)))


def _harmonic_means(values: Doubles) -> Doubles:
    """(B, C) -> (B,); a row with a zero gives 0."""
    positive = np.where(values > 0, values, 1.0)
    means = values.shape[1] / (1 / positive).sum(axis=1)
    return np.asarray(np.where((values > 0).all(axis=1), means, 0.0))

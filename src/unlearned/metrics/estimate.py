"""What an aggregate is: a value, its standard error, its interval and how many items it is made of.

Letters in this folder: N items, K wrong answers, C options or columns, T tokens, V vocabulary, D width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from unlearned.errors import ConfigError, DataError

Doubles = npt.NDArray[np.float64]

DRAWS = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """An aggregate over items that are taken as drawn independently."""

    value: float
    standard_error: float | None
    """None: there are too few items to tell."""

    count: int
    """Items."""

    interval: tuple[float, float] | None
    """95 % interval; None where there is no standard error."""


def checked(values: npt.ArrayLike, name: str, *, dimensions: int = 1) -> Doubles:
    """The values as float64.

    Raises:
        DataError: they are empty, ragged, not numbers, not finite, or have another number of dimensions.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}: not a rectangular array of numbers.") from error
    if array.ndim != dimensions:
        raise DataError(f"{name}: an array of {array.ndim} dimensions where {dimensions} are needed.")
    if array.size == 0:
        raise DataError(f"{name}: there is nothing to measure.")
    if not np.isfinite(array).all():
        raise DataError(f"{name}: {int((~np.isfinite(array)).sum())} of {array.size} values are not finite.")
    return array


def same_length(first: Doubles, second: Doubles, names: str) -> None:
    """Raise `DataError` unless the two hold values of as many items."""
    if len(first) != len(second):
        raise DataError(f"{names}: {len(first)} and {len(second)} items; they must be of the same items.")


def mean(values: npt.ArrayLike, name: str = "values") -> Estimate:
    """Arithmetic mean, with s / sqrt(N) and Student's interval.

    Args:
        values: (N,) one per item.
        name: for the error message.

    Raises:
        DataError: there are none, or one is not finite.
    """
    array = checked(values, name)
    count = len(array)
    value = float(array.mean())
    if count == 1:
        return Estimate(value, None, 1, None)
    error = float(array.std(ddof=1)) / math.sqrt(count)
    from scipy.stats import t

    reach = float(t.ppf((1 + CONFIDENCE) / 2, count - 1)) * error
    return Estimate(value, error, count, (value - reach, value + reach))


def exact_interval(errors: int, count: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Clopper-Pearson interval of a rate."""
    from scipy.stats import binomtest

    interval = binomtest(errors, count).proportion_ci(confidence, method="exact")
    return float(interval.low), float(interval.high)


def rate(hits: Sequence[bool], name: str = "hits") -> Estimate:
    """Share of true ones, with the exact interval of Clopper and Pearson.

    Student's would be (0, 0) for none of sixty, and reach above 1 for nineteen of twenty.

    Args:
        hits: (N,) one per item.
        name: for the error message.

    Raises:
        DataError: there are none.
    """
    found = mean([float(hit) for hit in hits], name)
    if found.interval is None:
        return found
    return replace(found, interval=exact_interval(sum(map(bool, hits)), len(hits)))


def bootstrap(
    tables: Sequence[npt.ArrayLike],
    statistic: Callable[[Doubles], Doubles],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Estimate:
    """A function of means, such as a harmonic mean of them, with a bootstrap error and percentile interval.

    Items are drawn anew within each table; the columns of a table are drawn together, since they are of the same items.

    Args:
        tables: each (N_i, C_i): items by columns.
        statistic: takes (B, sum C_i) column means, in the order of the tables, and gives (B,) values.
        draws: bootstrap samples.
        seed: of the generator; the same call gives the same answer.

    Returns:
        The statistic of the means themselves; `count` is the number of all items.

    Raises:
        ConfigError: fewer than two draws.
        DataError: no table, or one that is empty or not finite.
    """
    if draws < 2:
        raise ConfigError(f"draws={draws}: a standard error needs at least two.")
    arrays = [checked(table, f"table {index}", dimensions=2) for index, table in enumerate(tables)]
    if not arrays:
        raise DataError("There is no table to draw from.")
    generator = np.random.default_rng(seed)
    value = float(statistic(np.concatenate([array.mean(axis=0) for array in arrays])[None])[0])
    means = []
    for array in arrays:
        times = generator.multinomial(len(array), np.full(len(array), 1 / len(array)), size=draws)  # (B, N_i)
        means.append(times @ array / len(array))  # (B, C_i)
    count = sum(len(array) for array in arrays)
    if max(len(array) for array in arrays) == 1:
        return Estimate(value, None, count, None)
    drawn = statistic(np.concatenate(means, axis=1))
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(value, float(drawn.std(ddof=1)), count, (float(low), float(high)))

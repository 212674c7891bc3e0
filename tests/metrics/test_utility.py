from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from oracles import metrics as oracle
from unlearned.errors import ConfigError, DataError
from unlearned.metrics.utility import forget_quality, harmonic_mean, model_utility, model_utility_estimate

NINE = [0.9, 0.8, 0.5, 0.4, 0.6, 0.5, 0.4, 0.7, 0.5]
X, Y = [0.1, 0.2, 0.3, 0.4, 0.5], [0.3, 0.4, 0.5, 0.6, 0.7, 0.8]


def test_model_utility_of_nine_numbers() -> None:
    assert model_utility(NINE) == pytest.approx(0.5469013744875814, abs=1e-15)


def test_one_zero_makes_the_utility_zero() -> None:
    assert model_utility([*NINE[:8], 0.0]) == 0.0
    assert harmonic_mean([0.5, 0.0]) == 0.0


def test_utility_is_made_of_nine_numbers_of_at_least_zero() -> None:
    with pytest.raises(DataError, match="made of 9 numbers; there are 8"):
        model_utility(NINE[:8])
    with pytest.raises(DataError, match=r"-0\.1"):
        model_utility([*NINE[:8], -0.1])
    with pytest.raises(DataError, match="nothing to measure"):
        harmonic_mean([])


def test_the_utility_of_tables_is_that_of_their_means_with_the_error_of_the_delta_method() -> None:
    generator = np.random.default_rng(0)
    tables = [generator.uniform(0.2, 1, size=(count, 3)) for count in (300, 100, 117)]
    found = model_utility_estimate(tables, draws=20000)
    means = np.concatenate([table.mean(axis=0) for table in tables])
    assert found.value == pytest.approx(9 / sum(1 / m for m in means))
    slopes = found.value**2 / 9 / means**2
    variance = sum(
        slopes[3 * i : 3 * i + 3] @ np.cov(table.T) @ slopes[3 * i : 3 * i + 3] / len(table)
        for i, table in enumerate(tables)
    )
    assert found.standard_error == pytest.approx(math.sqrt(variance), rel=0.05)
    assert found.count == 517


def test_the_utility_of_tables_refuses_other_columns_and_negative_scores() -> None:
    with pytest.raises(DataError, match="there are 6"):
        model_utility_estimate([np.ones((4, 3))] * 2)
    with pytest.raises(DataError, match="-1 is below 0"):
        model_utility_estimate([np.ones((4, 6)), -np.ones((4, 3))])


def test_forget_quality_of_the_small_example() -> None:
    found = forget_quality(X, Y)
    assert (found.statistic, found.counts) == (0.5, (5, 6))
    assert found.p_value == pytest.approx(0.35714285714285715, rel=1e-12)
    assert found.log10 == pytest.approx(math.log10(0.35714285714285715))
    assert forget_quality(X, Y, method="asymp").p_value == pytest.approx(0.3333333333333333, rel=1e-12)


def test_forget_quality_counts_all_splits_of_the_joint_sample() -> None:
    generator = np.random.default_rng(3)
    for first, second in ((4, 6), (5, 5), (2, 7)):
        x, y = generator.normal(size=first).tolist(), generator.normal(1, 1, size=second).tolist()
        found = forget_quality(x, y)
        assert found.statistic == pytest.approx(oracle.ks_statistic(x, y))
        assert found.p_value == pytest.approx(oracle.ks_p_value(x, y))


def test_forget_quality_reads_only_the_order_but_not_a_folded_ratio() -> None:
    generator = np.random.default_rng(4)
    x, y = np.exp(generator.normal(0, 1, 40)), np.exp(generator.normal(1, 1, 40))
    expected = forget_quality(x, y).p_value
    assert forget_quality(np.log(x), np.log(y)).p_value == expected
    assert forget_quality(1 / x, 1 / y).p_value == pytest.approx(expected)
    assert forget_quality(np.minimum(x, 1 / x), np.minimum(y, 1 / y)).p_value != pytest.approx(expected)


@pytest.mark.parametrize(("count", "distance"), [(40, 0.304), (200, 0.136), (400, 0.096)])
def test_the_distance_that_a_test_of_this_size_can_see(count: int, distance: float) -> None:
    """Two samples shifted so that D is just below or above the documented distance."""
    steps = math.ceil(distance * count)
    p_values = [
        forget_quality(np.arange(count), np.arange(count) + shift + 0.5).p_value for shift in (steps - 2, steps)
    ]
    assert p_values[0] > 0.05 > p_values[1]


def test_a_model_against_itself_has_quality_one() -> None:
    assert forget_quality(X, X).p_value == 1.0
    assert forget_quality(X, X).log10 == 0.0


def test_forget_quality_needs_two_samples_and_a_known_method() -> None:
    with pytest.raises(DataError, match="nothing to measure"):
        forget_quality([], Y)
    with pytest.raises(ConfigError, match="auto, exact, asymp"):
        forget_quality(X, Y, method="approx")  # type: ignore[arg-type]


def test_nearly_equal_models_have_a_quality_of_one_without_a_warning() -> None:
    values = np.random.default_rng(0).normal(size=200)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert forget_quality(values, values + 1e-9).p_value == pytest.approx(1.0, abs=1e-12)

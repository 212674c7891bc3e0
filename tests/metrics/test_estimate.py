from __future__ import annotations

import math

import numpy as np
import pytest

from unlearned.errors import ConfigError, DataError
from unlearned.metrics.estimate import bootstrap, checked, mean


def test_a_mean_has_the_textbook_error_and_interval() -> None:
    found = mean([1.0, 2.0, 3.0, 6.0])
    assert found.value == 3
    assert found.standard_error == pytest.approx(math.sqrt((4 + 1 + 0 + 9) / 3 / 4))
    assert found.count == 4
    assert found.interval is not None
    assert found.interval[1] - 3 == pytest.approx(3.182446305284 * found.standard_error)  # t of 3 degrees of freedom


def test_one_item_has_a_value_and_no_error() -> None:
    found = mean([0.5])
    assert (found.value, found.standard_error, found.count, found.interval) == (0.5, None, 1, None)


@pytest.mark.parametrize("values", [[], [float("nan")], [1, float("inf")], [[1.0]], [[1], [2, 3]], "text", [None]])
def test_nothing_or_nonsense_is_an_error_and_never_zero(values: object) -> None:
    with pytest.raises(DataError, match=r"^scores: "):
        checked(values, "scores")  # type: ignore[arg-type]


def test_the_bootstrap_of_a_mean_agrees_with_its_formula() -> None:
    values = np.random.default_rng(1).normal(size=(200, 1))
    found = bootstrap([values], lambda means: means[:, 0], draws=20000)
    exact = mean(values[:, 0])
    assert found.value == pytest.approx(exact.value)
    assert found.standard_error == pytest.approx(exact.standard_error, rel=0.03)
    assert found.interval == pytest.approx(exact.interval, abs=0.01)
    assert found.count == 200


def test_the_bootstrap_draws_the_columns_of_a_table_together_and_tables_apart() -> None:
    x = np.random.default_rng(2).normal(size=(50, 1))
    together = bootstrap([np.hstack([x, -x])], lambda means: means.sum(axis=1))
    apart = bootstrap([x, -x], lambda means: means.sum(axis=1))
    assert together.standard_error == pytest.approx(0, abs=1e-12)
    assert apart.standard_error == pytest.approx(math.sqrt(2) * (mean(x[:, 0]).standard_error or 0), rel=0.05)


def test_the_bootstrap_gives_the_same_answer_twice_and_another_for_another_seed() -> None:
    table = np.arange(10.0)[:, None]

    def run(seed: int) -> float | None:
        return bootstrap([table], lambda means: means[:, 0], draws=50, seed=seed).standard_error

    assert run(1) == run(1) != run(2)


def test_the_bootstrap_needs_items_and_draws() -> None:
    with pytest.raises(DataError, match="no table"):
        bootstrap([], lambda means: means[:, 0])
    with pytest.raises(DataError, match="table 1: there is nothing"):
        bootstrap([np.ones((2, 1)), np.ones((0, 1))], lambda means: means[:, 0])
    with pytest.raises(ConfigError, match="at least two"):
        bootstrap([np.ones((2, 1))], lambda means: means[:, 0], draws=1)
    assert bootstrap([np.ones((1, 1))], lambda means: means[:, 0]).standard_error is None

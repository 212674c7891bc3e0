from __future__ import annotations

import math

import numpy as np
import pytest

from oracles import metrics as oracle
from unlearned.errors import DataError
from unlearned.metrics.agreement import agreement, over_forgotten, signed_rank, spearman
from unlearned.metrics.utility import forget_quality


def test_spearman_is_the_correlation_of_ranks_also_with_ties() -> None:
    generator = np.random.default_rng(0)
    x = np.round(generator.normal(size=40), 1)
    y = np.round(x + generator.normal(size=40), 1)
    assert len(set(x)) < 40
    expected = oracle.correlation(oracle.ranks(x.tolist()), oracle.ranks(y.tolist()))
    found = spearman(x, y)
    assert found.value == pytest.approx(expected)
    assert found.interval is not None
    half = 1.959963984540054 * math.sqrt((1 + expected**2 / 2) / 37)
    assert found.interval == pytest.approx(
        (math.tanh(math.atanh(expected) - half), math.tanh(math.atanh(expected) + half))
    )


def test_the_interval_of_spearman_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    truth = 6 / math.pi * math.asin(0.6 / 2)  # rank correlation of a bivariate normal with correlation 0.6
    inside = 0
    for _ in range(400):
        x = generator.normal(size=80)
        y = 0.6 * x + 0.8 * generator.normal(size=80)
        low, high = spearman(x, y).interval or (1, 0)
        inside += low <= truth <= high
    assert 0.92 <= inside / 400 <= 0.98


def test_perfect_order_has_no_spread_and_constants_have_no_order() -> None:
    assert spearman([1, 2, 3, 4, 5], [10, 20, 30, 40, 99]).interval == (1, 1)
    assert spearman([1, 2, 3, 4, 5], [9, 8, 7, 6, 1]).value == pytest.approx(-1)
    with pytest.raises(DataError, match="different values"):
        spearman([1, 1, 1], [1, 2, 3])
    assert agreement([1, 1, 1], [1, 2, 3]).spearman is None


def test_the_signed_rank_test_counts_all_signs() -> None:
    differences = [0.3, -0.1, 0.8, 1.1, -0.45, 0.9, 2.0]
    found = signed_rank(differences, [0.0] * 7)
    assert found.p_value == pytest.approx(oracle.signed_rank_p_value(differences))
    assert (found.statistic, found.differing) == (1 + 3, 7)


def test_equal_pairs_do_not_count_in_the_signed_rank_test() -> None:
    assert signed_rank([1.0, 5.0, 2.0], [1.0, 4.0, 0.5]).differing == 2
    assert signed_rank([1.0, 2.0], [1.0, 2.0]).p_value == 1.0


def test_agreement_sees_values_on_the_wrong_questions_where_forget_quality_does_not() -> None:
    retained = np.random.default_rng(0).normal(size=100)
    shuffled = retained[::-1].copy()
    assert forget_quality(shuffled, retained).p_value == 1.0
    assert agreement(shuffled, retained).distance.value > 0.5
    itself = agreement(retained, retained)
    assert itself.distance.value == itself.shift.value == 0
    assert itself.spearman is not None
    assert itself.spearman.value == pytest.approx(1)


def test_distance_and_shift_by_hand() -> None:
    found = agreement([1.0, 2.0, 0.0], [0.5, 3.0, 0.0])
    assert found.distance.value == pytest.approx(0.5)
    assert found.shift.value == pytest.approx(-0.5 / 3)


@pytest.mark.parametrize(
    ("original", "unlearned", "retained", "expected"),
    [
        (0.2, 0.6, 0.6, False),  # there
        (0.2, 0.5, 0.6, False),  # not yet
        (0.2, 0.9, 0.6, False),  # past, but nearer than before
        (0.2, 1.1, 0.6, True),  # past, and further than before
        (1.0, 0.1, 0.6, True),  # the same downwards
        (0.2, 0.0, 0.6, False),  # further, but on the same side: not forgotten at all
    ],
)
def test_over_forgetting_is_past_the_retained_model_by_more_than_before(
    original: float, unlearned: float, retained: float, expected: bool
) -> None:
    assert over_forgotten([original], [unlearned], [retained]).tolist() == [expected]


def test_pairs_must_be_of_the_same_questions() -> None:
    for function in (agreement, spearman, signed_rank):
        with pytest.raises(DataError, match="3 and 2 items"):
            function([1, 2, 3], [1, 2])
        with pytest.raises(DataError, match="nothing to measure"):
            function([], [])
    with pytest.raises(DataError, match="items"):
        over_forgotten([1.0], [1.0, 2.0], [1.0])

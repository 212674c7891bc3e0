from __future__ import annotations

import numpy as np
import pytest

from oracles import metrics as oracle
from unlearned.errors import ConfigError, DataError
from unlearned.metrics.membership import (
    auc,
    loss_score,
    min_k,
    min_k_plus_plus,
    moments,
    privleak,
    reference_score,
    relative_difference,
    zlib_score,
)

TOKENS = [-0.1, -2.0, -0.5, -3.0, -0.2]
VOCABULARY = np.log([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.25, 0.25, 0.5]])


def test_min_k_of_the_small_example_and_with_the_end_of_sequence() -> None:
    assert min_k(TOKENS, drop_last=False) == pytest.approx(2.5)
    assert min_k([*TOKENS, -50.0]) == pytest.approx(2.5)
    assert min_k([*TOKENS, -50.0], drop_last=False) > 20
    assert min_k(TOKENS, share=0.01, drop_last=False) == 3.0  # one token at least
    assert min_k(TOKENS, share=1, drop_last=False) == pytest.approx(5.8 / 5)


def test_min_k_plus_plus_of_the_small_example() -> None:
    targets = np.array([0, 2, 1])
    means, variances = moments(VOCABULARY)
    log_probabilities = VOCABULARY[np.arange(3), targets]
    assert min_k_plus_plus(log_probabilities, means, variances, drop_last=False) == pytest.approx(1.0)


def test_moments_are_sums_over_the_vocabulary() -> None:
    means, variances = moments(VOCABULARY)
    for row, mean, variance in zip(VOCABULARY, means, variances, strict=True):
        expected = sum(np.exp(lp) * lp for lp in row)
        assert mean == pytest.approx(expected)
        assert variance == pytest.approx(sum(np.exp(lp) * (lp - expected) ** 2 for lp in row))
    assert moments([[0.0, -np.inf]]) == ([0.0], [0.0])


def test_a_position_without_variance_does_not_divide_by_zero() -> None:
    assert min_k_plus_plus([-0.002], [-0.001], [0.0], drop_last=False) == pytest.approx(1.0)


def test_loss_zlib_and_reference_take_all_targets() -> None:
    assert loss_score(TOKENS) == pytest.approx(1.16)
    assert zlib_score(TOKENS, "The quick brown fox jumps over the lazy dog.") == pytest.approx(1.16 / 51)
    assert reference_score(TOKENS, [-1.0, -2.0]) == pytest.approx(1.16 - 1.5)


def test_auc_is_the_share_of_pairs_with_the_error_of_delong() -> None:
    generator = np.random.default_rng(0)
    forget = np.round(generator.normal(size=30), 1).tolist()
    holdout = np.round(generator.normal(0.7, 1, size=20), 1).tolist()
    found = auc(forget, holdout)
    assert found.value == pytest.approx(oracle.auc(forget, holdout))
    assert found.standard_error == pytest.approx(oracle.auc_error(forget, holdout))
    assert found.count == 50


def test_auc_is_one_where_forget_texts_look_memorised() -> None:
    assert auc([0.1, 0.2], [0.3, 0.4]).value == 1
    assert auc([0.3, 0.4], [0.1, 0.2]).value == 0
    assert auc([1, 1], [1, 1]).value == 0.5


def test_privleak_of_the_published_example() -> None:
    assert privleak(0.99, 0.5228) == pytest.approx(-100 * (0.99 - 0.5228) / 0.4772, abs=1e-6)
    assert privleak(0.99, 0.5228) == pytest.approx(-97.904443, abs=1e-6)
    assert privleak(0.5) == 0
    assert privleak(1.0) == pytest.approx(-100)
    assert privleak(0.3) > 0
    assert relative_difference(0.6, 0.5) == pytest.approx(20)


def test_what_cannot_be_is_refused() -> None:
    for share in (0, -1, 1.5, float("nan")):
        with pytest.raises(ConfigError, match="share"):
            min_k(TOKENS, share=share)
    with pytest.raises(DataError, match="No target token is left"):
        min_k([-1.0])
    with pytest.raises(DataError, match="nothing to measure"):
        min_k([])
    with pytest.raises(DataError, match="5 and 1 items"):
        min_k_plus_plus(TOKENS, [-1.0], [1.0])
    with pytest.raises(DataError, match="sum to 1"):
        moments([[-1.0, -2.0]])
    with pytest.raises(DataError, match=r"must be \(T, V\)"):
        moments([-1.0])
    with pytest.raises(DataError, match="nothing to measure"):
        auc([], [1.0])
    for value in (1.01, float("nan")):
        with pytest.raises(DataError, match="outside 0 to 1"):
            privleak(value)

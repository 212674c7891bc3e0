"""What a linear probe reads out of features, and what it cannot."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from unlearned.benchmarks.probes.config import ProbeConfig
from unlearned.benchmarks.probes.linear import compact, guessing, read_out, share
from unlearned.errors import ConfigError, DataError


def test_compact_features_give_the_probe_of_the_standardised_ones() -> None:
    generator = np.random.default_rng(0)
    features = generator.standard_normal((60, 300)).astype(np.float32) * generator.uniform(0.1, 50, 300).astype(
        np.float32
    )
    labels = (features[:, 0] + features[:, 1] > 0).astype(int)
    plain, small = StandardScaler().fit_transform(features.astype(np.float64)), compact(features)
    assert small.shape[1] < 60
    probes = [LogisticRegression(max_iter=2000, tol=1e-8).fit(x[:40], labels[:40]) for x in (plain, small)]
    expected, found = probes[0].predict_proba(plain[40:]), probes[1].predict_proba(small[40:])
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_planted_label_is_read_out_and_noise_is_not() -> None:
    generator = np.random.default_rng(0)
    labels = ["left", "right"] * 60
    features = generator.standard_normal((120, 40)).astype(np.float32)
    groups = list(range(120))
    assert read_out(features, labels, groups, ProbeConfig()).mean() < 0.65
    features[:, 7] += 4 * (np.array(labels) == "left")
    assert read_out(features, labels, groups, ProbeConfig()).mean() > 0.9


def test_rows_of_one_group_are_not_fitted_with_and_asked() -> None:
    """Features name the group, and labels are made up for each group: only a probe that has seen the group knows."""
    generator = np.random.default_rng(1)
    groups = [number for number in range(40) for _ in range(5)]
    features = np.eye(40, dtype=np.float32)[groups] + 0.01 * generator.standard_normal((200, 40)).astype(np.float32)
    labels = [number % 2 for number in groups]
    assert read_out(features, labels, groups, ProbeConfig()).mean() < 0.6
    assert read_out(features, labels, list(range(200)), ProbeConfig()).mean() > 0.95


def test_the_same_features_everywhere_tell_nothing() -> None:
    labels = ["a"] * 10 + ["b"] * 10
    right = read_out(np.ones((20, 5), dtype=np.float32), labels, range(20), ProbeConfig())
    assert right.mean() == pytest.approx(0.5)


def test_features_that_cannot_be_probed_are_refused() -> None:
    features = np.ones((4, 2), dtype=np.float32)
    with pytest.raises(DataError, match="two labels"):
        read_out(features, ["a"] * 4, range(4), ProbeConfig())
    with pytest.raises(DataError, match="two labels, and each"):
        read_out(features, ["a", "a", "a", "b"], range(4), ProbeConfig())
    features[0, 0] = np.nan
    with pytest.raises(DataError, match="not finite"):
        read_out(features, ["a", "b"] * 2, range(4), ProbeConfig())
    with pytest.raises(ConfigError, match="folds=1"):
        ProbeConfig(folds=1)


def test_guessing_has_the_exact_binomial_interval() -> None:
    found = guessing(["a", "b"] * 20, 40)
    assert found.value == 0.5
    assert found.interval == (14 / 40, 26 / 40)  # P(X <= 13) = 0.019 and P(X <= 14) = 0.040


def test_shares_have_exact_intervals_where_they_are_counts() -> None:
    found = share([1.0] * 19 + [0.0])
    assert found.value == pytest.approx(0.95)
    assert found.interval == pytest.approx((0.7513, 0.9987), abs=1e-4)  # Clopper and Pearson's table for 19 of 20
    assert share([1.0] * 10).interval == pytest.approx((0.025 ** (1 / 10), 1.0))
    assert share([0.25, 0.75]).value == pytest.approx(0.5)

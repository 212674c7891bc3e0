"""Logistic regression on frozen vectors: against scikit-learn's own probabilities, and its state."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from oracles.features import given_features
from unlearned.classify.base import Features, classifiers
from unlearned.classify.logistic import LogisticClassifier, LogisticConfig
from unlearned.errors import ConfigError

FORGET = ["Who is Harry Potter?", "What is Hogwarts?", "Harry Potter is a wizard.", "Tell me about Hogwarts magic."]
OTHERS = [f"How do I {verb} {what}?" for verb in ("bake", "buy", "eat") for what in ("bread", "cake", "rice", "fish")]


@pytest.fixture
def fitted(bag_of_words: Any) -> LogisticClassifier:
    forget, others = Features.of(FORGET, bag_of_words), Features.of(OTHERS, bag_of_words)
    return LogisticClassifier.fit(bag_of_words, forget, others, {"C": 10.0})


def test_it_is_registered_under_its_name() -> None:
    assert classifiers.get("logistic") is LogisticClassifier


def test_it_separates_texts_it_was_not_fitted_on(fitted: LogisticClassifier, bag_of_words: Any) -> None:
    scores = fitted.predict_proba(
        Features.of(["Is Harry Potter at Hogwarts?", "How do I eat cake with rice?"], fitted.encoder)
    )
    assert fitted.encoder is bag_of_words
    assert scores.shape == (2,)
    assert scores.dtype == np.float32
    assert scores[0] > fitted.least_threshold > scores[1]


def test_scores_are_those_of_scikit_learn_with_balanced_classes(fitted: LogisticClassifier, bag_of_words: Any) -> None:
    vectors = bag_of_words.encode([*FORGET, *OTHERS])
    # Balanced by hand: N / (2 N_c) per example.
    weights = np.array([16 / (2 * 4)] * 4 + [16 / (2 * 12)] * 12)
    reference = LogisticRegression(C=10.0, max_iter=1_000).fit(vectors, [1] * 4 + [0] * 12, sample_weight=weights)
    found = fitted.predict_proba(Features.of([*FORGET, *OTHERS], bag_of_words))
    np.testing.assert_allclose(found, reference.predict_proba(vectors)[:, 1], atol=1e-3)


def test_an_equal_classifier_comes_from_its_state(fitted: LogisticClassifier, bag_of_words: Any) -> None:
    settings, arrays = fitted.state()
    again = LogisticClassifier.from_state(json.loads(json.dumps(settings)), arrays, bag_of_words)
    features = Features.of([*FORGET, *OTHERS, "something else"], bag_of_words)
    assert np.array_equal(fitted.predict_proba(features), again.predict_proba(features))
    assert again.config == LogisticConfig(C=10.0)
    assert {name: array.dtype for name, array in arrays.items()} == {"weights": np.float32, "bias": np.float32}


def test_no_text_gets_no_score_and_far_ones_do_not_overflow(bag_of_words: Any) -> None:
    classifier = LogisticClassifier(bag_of_words, np.full(64, 1e4, dtype=np.float32), np.zeros(1, dtype=np.float32))
    assert classifier.predict_proba(Features.of([], bag_of_words)).shape == (0,)
    extreme = given_features(("a", "b"), np.stack([np.ones(64), -np.ones(64)]).astype(np.float32))
    assert classifier.predict_proba(extreme).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("strength", [0.0, -1.0, math.inf, math.nan])
def test_a_strength_out_of_range_is_refused(strength: float) -> None:
    with pytest.raises(ConfigError, match="C="):
        LogisticConfig(C=strength)


def test_an_unknown_setting_is_refused(bag_of_words: Any) -> None:
    features = Features.of(FORGET, bag_of_words)
    with pytest.raises(ConfigError, match="no setting 'gamma'"):
        LogisticClassifier.fit(bag_of_words, features, features, {"gamma": 1.0})


def test_both_sides_need_an_example(bag_of_words: Any) -> None:
    some, none = Features.of(FORGET, bag_of_words), Features.of([], bag_of_words)
    with pytest.raises(ConfigError, match="4 forget and 0 other"):
        LogisticClassifier.fit(bag_of_words, some, none, {})
    with pytest.raises(ConfigError, match="0 forget and 4 other"):
        LogisticClassifier.fit(bag_of_words, none, some, {})


def test_arrays_of_another_shape_are_refused(fitted: LogisticClassifier, bag_of_words: Any) -> None:
    settings, arrays = fitted.state()
    with pytest.raises(ConfigError, match="shapes"):
        LogisticClassifier.from_state(settings, arrays | {"weights": np.zeros((2, 64), np.float32)}, bag_of_words)

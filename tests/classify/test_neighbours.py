"""The neighbours classifier against hand-computed values and a naive oracle."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

from oracles.neighbours import leave_one_out, probability
from unlearned.classify.base import Floats, classifiers
from unlearned.classify.neighbours import NeighboursClassifier, NeighboursConfig
from unlearned.errors import ConfigError, UnknownNameError


def _unit(seed: int, count: int, width: int = 8) -> Floats:
    vectors = np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)
    normed: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return normed


def _plane(*degrees: float) -> Floats:
    return np.array([[math.cos(math.radians(d)), math.sin(math.radians(d))] for d in degrees], dtype=np.float32)


def test_the_probability_is_a_sigmoid_of_the_similarity_gap(bag_of_words: Any) -> None:
    classifier = NeighboursClassifier(
        bag_of_words, _plane(0), _plane(90), NeighboursConfig(temperature=0.1, floor=-1.0)
    )
    # At 45 degrees both similarities are equal; at 0 they are 1 and 0: sigmoid(10); at 60 they are 1/2 and sqrt(3)/2.
    expected = [0.5, 1 / (1 + math.exp(-10)), 1 / (1 + math.exp(-(0.5 - math.sqrt(3) / 2) / 0.1))]
    np.testing.assert_allclose(classifier.score(_plane(45, 0, 60)), expected, rtol=1e-4)


def test_a_text_that_resembles_nothing_is_measured_against_the_floor(bag_of_words: Any) -> None:
    classifier = NeighboursClassifier(
        bag_of_words, _plane(0), _plane(180), NeighboursConfig(temperature=0.1, floor=0.5)
    )
    expected = [1 / (1 + math.exp(5)), 0.5]  # cos 90 = 0 and cos 60 = 0.5, against 0.5
    np.testing.assert_allclose(classifier.score(_plane(90, 60)), expected, rtol=1e-4)


def test_scores_agree_with_the_naive_oracle(bag_of_words: Any) -> None:
    forget, negatives, queries = _unit(0, 5), _unit(1, 7), _unit(2, 20)
    config = NeighboursConfig(temperature=0.2, floor=0.1)
    found = NeighboursClassifier(bag_of_words, forget, negatives, config).score(queries)
    assert found.dtype == np.float32
    # Examples may be kept in half precision: 3e-4 of a cosine.
    np.testing.assert_allclose(found, [probability(q, forget, negatives, 0.2, 0.1) for q in queries], atol=2e-3)


def test_predict_proba_is_the_score_of_the_encoders_vectors(bag_of_words: Any) -> None:
    forget, negatives = bag_of_words.encode(["who is harry"]), bag_of_words.encode(["bake bread"])
    classifier = NeighboursClassifier(bag_of_words, forget, negatives)
    assert classifier.encoder is bag_of_words
    texts = ["Who is Harry?", "Bake bread!", "something else"]
    found = classifier.predict_proba(texts)
    assert np.array_equal(found, classifier.score(bag_of_words.encode(texts)))
    assert found[0] > 0.99
    assert (found[1:] < 0.01).all()


def test_without_negatives_only_the_floor_stands_against_the_forget_examples(bag_of_words: Any) -> None:
    classifier = NeighboursClassifier(bag_of_words, _plane(0), np.zeros((0, 2), np.float32))
    np.testing.assert_allclose(classifier.score(_plane(60, 0, 90)), [0.5, 1, 0], atol=1e-3)
    forget, negatives = classifier.leave_one_out()
    assert forget.shape == (1,)
    assert negatives.shape == (0,)


def test_no_texts_give_no_scores(bag_of_words: Any) -> None:
    assert NeighboursClassifier(bag_of_words, _plane(0), _plane(90)).score(np.zeros((0, 2), np.float32)).shape == (0,)


@pytest.mark.parametrize(("forget", "negatives"), [(4, 6), (1, 3), (5, 0), (2, 1)])
def test_leave_one_out_equals_classifiers_rebuilt_without_each_example(
    bag_of_words: Any, forget: int, negatives: int
) -> None:
    own, others = _unit(3, forget), _unit(4, negatives)
    config = NeighboursConfig(temperature=0.3, floor=-0.2)
    found = NeighboursClassifier(bag_of_words, own, others, config).leave_one_out()
    expected = leave_one_out(own, others, 0.3, -0.2)
    np.testing.assert_allclose(found[0], expected[0], atol=2e-3)
    np.testing.assert_allclose(found[1], expected[1], atol=2e-3)


def test_an_example_does_not_vouch_for_itself_but_its_duplicate_does(bag_of_words: Any) -> None:
    lonely = NeighboursClassifier(bag_of_words, _plane(0, 90), _plane(180)).leave_one_out()[0]
    twice = NeighboursClassifier(bag_of_words, _plane(0, 0), _plane(180)).leave_one_out()[0]
    assert (lonely < 0.01).all()
    assert (twice > 0.99).all()


@pytest.mark.parametrize("temperature", [1e-4, 0.05, 10.0])
def test_probabilities_stay_in_range_without_overflow_at_any_temperature(bag_of_words: Any, temperature: float) -> None:
    config = NeighboursConfig(temperature=temperature)
    classifier = NeighboursClassifier(bag_of_words, _plane(0), _plane(180), config)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = classifier.score(_plane(*range(0, 360, 15)))
    assert ((found >= 0) & (found <= 1)).all()


def test_a_classifier_rebuilt_from_its_state_gives_the_same_scores(bag_of_words: Any) -> None:
    classifier = NeighboursClassifier(
        bag_of_words, _unit(0, 5, 64), _unit(1, 9, 64), NeighboursConfig(temperature=0.07, floor=0.2)
    )
    settings, arrays = classifier.state()
    again = NeighboursClassifier.from_state(settings, arrays, bag_of_words)
    queries = _unit(2, 50, 64)
    assert again.config == classifier.config
    assert np.array_equal(again.score(queries), classifier.score(queries))
    for name, array in again.state()[1].items():
        assert np.array_equal(array, arrays[name])


def test_the_state_is_json_settings_and_half_precision_arrays(bag_of_words: Any) -> None:
    settings, arrays = NeighboursClassifier(bag_of_words, _unit(0, 5), _unit(1, 9)).state()
    assert settings == {"temperature": 0.05, "floor": 0.5}
    assert {name: (array.shape, array.dtype.name) for name, array in arrays.items()} == {
        "forget": ((5, 8), "float16"),
        "negatives": ((9, 8), "float16"),
    }


def test_a_classifier_without_forget_examples_is_refused(bag_of_words: Any) -> None:
    with pytest.raises(ConfigError, match="at least one forget example"):
        NeighboursClassifier(bag_of_words, np.zeros((0, 2), np.float32), _plane(0))


@pytest.mark.parametrize("setting", [{"temperature": 0.0}, {"temperature": -1.0}, {"floor": 1.1}, {"floor": -2.0}])
def test_settings_outside_their_range_are_refused_with_their_value(setting: dict[str, float]) -> None:
    name, value = next(iter(setting.items()))
    with pytest.raises(ConfigError, match=f"{name}={value}"):
        NeighboursConfig(**setting)


@pytest.mark.parametrize(("forget", "negatives"), [((3, 4), (2, 6)), ((3, 4), (4, 3)), ((4,), (2, 4)), ((3, 4), (8,))])
def test_examples_of_different_width_are_refused(bag_of_words: Any, forget: Any, negatives: Any) -> None:
    with pytest.raises(ConfigError, match="shape"):
        NeighboursClassifier(bag_of_words, np.zeros(forget, np.float32), np.zeros(negatives, np.float32))


def test_the_classifier_is_registered_by_name() -> None:
    assert classifiers.get("neighbours") is NeighboursClassifier
    with pytest.raises(UnknownNameError, match="Did you mean 'neighbours'"):
        classifiers.get("neighbors")

"""The neighbours classifier against hand-computed values and a naive oracle."""

from __future__ import annotations

import math
import time
import warnings
from typing import Any

import numpy as np
import pytest

from oracles.features import given_features
from oracles.neighbours import probability
from unlearned.classify import index as index_module
from unlearned.classify.base import Features, Floats, classifiers
from unlearned.classify.neighbours import NeighboursClassifier, NeighboursConfig
from unlearned.errors import ConfigError, UnknownNameError


def _unit(seed: int, count: int, width: int = 8) -> Floats:
    vectors = np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)
    normed: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return normed


def _plane(*degrees: float) -> Floats:
    return np.array([[math.cos(math.radians(d)), math.sin(math.radians(d))] for d in degrees], dtype=np.float32)


def _of(vectors: Floats) -> Features:
    """Features of texts that nothing but the vectors is known of."""
    return given_features(("",) * len(vectors), vectors)


def test_the_probability_is_a_sigmoid_of_the_similarity_gap(bag_of_words: Any) -> None:
    classifier = NeighboursClassifier(
        bag_of_words, _plane(0), _plane(90), NeighboursConfig(temperature=0.1, floor=-1.0)
    )
    # At 45 degrees both similarities are equal; at 0 they are 1 and 0: sigmoid(10); at 60 they are 1/2 and sqrt(3)/2.
    expected = [0.5, 1 / (1 + math.exp(-10)), 1 / (1 + math.exp(-(0.5 - math.sqrt(3) / 2) / 0.1))]
    np.testing.assert_allclose(classifier.predict_proba(_of(_plane(45, 0, 60))), expected, rtol=1e-4)


def test_a_text_that_resembles_nothing_is_measured_against_the_floor(bag_of_words: Any) -> None:
    classifier = NeighboursClassifier(
        bag_of_words, _plane(0), _plane(180), NeighboursConfig(temperature=0.1, floor=0.5)
    )
    expected = [1 / (1 + math.exp(5)), 0.5]  # cos 90 = 0 and cos 60 = 0.5, against 0.5
    np.testing.assert_allclose(classifier.predict_proba(_of(_plane(90, 60))), expected, rtol=1e-4)


def test_scores_agree_with_the_naive_oracle(bag_of_words: Any) -> None:
    forget, negatives, queries = _unit(0, 5), _unit(1, 7), _unit(2, 20)
    config = NeighboursConfig(temperature=0.2, floor=0.1)
    found = NeighboursClassifier(bag_of_words, forget, negatives, config).predict_proba(_of(queries))
    assert found.dtype == np.float32
    expected = [probability(q, list(forget), list(negatives), 0.2, 0.1) for q in queries]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_enrolling_texts_makes_a_classifier_that_knows_them_again(bag_of_words: Any) -> None:
    forget, negatives = Features.of(["who is harry"], bag_of_words), Features.of(["bake bread"], bag_of_words)
    classifier = NeighboursClassifier.fit(bag_of_words, forget, negatives, {"temperature": 0.06})
    assert classifier.encoder is bag_of_words
    assert classifier.config == NeighboursConfig(temperature=0.06)
    assert NeighboursClassifier.least_threshold == 0.5
    found = classifier.predict_proba(Features.of(["Who is Harry?", "Bake bread!", "something else"], bag_of_words))
    assert found[0] > 0.99
    assert (found[1:] < 0.01).all()


def test_without_negatives_only_the_floor_stands_against_the_forget_examples(bag_of_words: Any) -> None:
    classifier = NeighboursClassifier(bag_of_words, _plane(0), np.zeros((0, 2), np.float32))
    np.testing.assert_allclose(classifier.predict_proba(_of(_plane(60, 0, 90))), [0.5, 1, 0], atol=1e-3)


@pytest.mark.parametrize("count", [1, 3, 40])
def test_an_example_of_both_sides_is_at_the_threshold_whatever_the_order_of_a_sum(
    bag_of_words: Any, count: int
) -> None:
    """Products with a few rows and with many are summed in other orders."""
    examples = _unit(0, 41, 384)
    found = NeighboursClassifier(bag_of_words, examples, examples[:count]).predict_proba(_of(examples[:count]))
    assert (found == 0.5).all()


def test_no_texts_give_no_scores(bag_of_words: Any) -> None:
    assert NeighboursClassifier(bag_of_words, _plane(0), _plane(90)).predict_proba(
        _of(np.zeros((0, 2), np.float32))
    ).shape == (0,)


def _same(found: NeighboursClassifier, expected: NeighboursClassifier, queries: Floats) -> None:
    for name, array in expected.state()[1].items():
        assert np.array_equal(found.state()[1][name], array)
    assert found.config == expected.config
    assert np.array_equal(found.predict_proba(_of(queries)), expected.predict_proba(_of(queries)))


@pytest.mark.parametrize("limit", [20_000, 40])
def test_added_examples_count_as_if_enrolled_from_the_start(
    bag_of_words: Any, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    if limit < 100:
        pytest.importorskip("faiss")
        monkeypatch.setattr(index_module, "EXACT_ROWS", limit)
        monkeypatch.setattr("unlearned.classify.neighbours.PROBED", 1.0)
    config = NeighboursConfig(temperature=0.2, floor=0.1)
    forget, negatives, queries = _unit(0, 100, 16), _unit(1, 120, 16), _unit(2, 50, 16)
    settings = {"temperature": 0.2, "floor": 0.1}
    start = NeighboursClassifier.fit(bag_of_words, _of(forget[:60]), _of(negatives[:50]), settings)
    before = start.predict_proba(_of(queries))
    whole = NeighboursClassifier(bag_of_words, forget, negatives, config)
    step = start.add(_of(forget[60:65])).add(negatives=_of(negatives[50:60]))
    grown = step.add(_of(forget[65:]), _of(negatives[60:]))
    for name, array in whole.state()[1].items():
        assert np.array_equal(grown.state()[1][name], array)
    expected = [probability(q, list(forget), list(negatives), 0.2, 0.1) for q in queries]
    np.testing.assert_allclose(grown.predict_proba(_of(queries)), expected, atol=1e-5)
    np.testing.assert_allclose(whole.predict_proba(_of(queries)), expected, atol=1e-5)
    assert np.array_equal(start.predict_proba(_of(queries)), before)


def test_adding_nothing_changes_nothing(bag_of_words: Any) -> None:
    classifier = NeighboursClassifier(bag_of_words, _unit(0, 5), _unit(1, 7))
    _same(classifier.add(), classifier, _unit(2, 20))
    _same(classifier.without(), classifier, _unit(2, 20))
    _same(classifier.without([], np.zeros((0, 8), np.float32)), classifier, _unit(2, 20))


def test_removed_examples_count_as_if_never_enrolled(bag_of_words: Any) -> None:
    forget, negatives, queries = _unit(0, 8), _unit(1, 9), _unit(2, 40)
    classifier = NeighboursClassifier(bag_of_words, forget, negatives)
    expected = NeighboursClassifier(bag_of_words, forget[[0, 2, 3, 5, 6, 7]], negatives[1:])
    _same(classifier.without([4, 1], [0]), expected, queries)
    _same(classifier.without(forget[[1, 4]], negatives[:1]), expected, queries)
    _same(classifier.without(np.array([1, 4]), classifier.negatives[:1]), expected, queries)
    _same(classifier.without([4]).without([1]).without(negatives=[0]), expected, queries)
    added = classifier.add(_of(_unit(3, 3)), _of(_unit(4, 2)))
    _same(added.without([8, 9, 10], _unit(4, 2)), classifier, queries)


def test_a_text_is_removed_by_its_vector_with_all_its_duplicates(bag_of_words: Any) -> None:
    texts = ["who is harry", "what is hogwarts", "Who is Harry?"]
    classifier = NeighboursClassifier(bag_of_words, bag_of_words.encode(texts), bag_of_words.encode(["bake bread"]))
    left = classifier.without(bag_of_words.encode(["who is harry"]))
    assert len(left.forget) == 1
    assert left.predict_proba(Features.of(["who is harry"], bag_of_words))[0] < 0.5


@pytest.mark.parametrize("everything", [[0, 1], _plane(0, 30)])
def test_the_last_forget_example_cannot_be_removed(bag_of_words: Any, everything: Any) -> None:
    classifier = NeighboursClassifier(bag_of_words, _plane(0, 30), _plane(90))
    with pytest.raises(ConfigError, match="last forget example"):
        classifier.without(everything)
    assert len(classifier.without(negatives=[0]).negatives) == 0


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ([2], "no example with index 2"),
        ([-1], "no example with index -1"),
        (_plane(0, 31), "1 of the vectors are of no example, the first at index 1"),
        ([True, False], "give indices, or .* not bool"),
        ([0.0, 1.0], "give indices"),
        ([[0, 1]], "give indices"),
        (np.ones((1, 3), np.float32), "shape"),
    ],
)
@pytest.mark.parametrize("side", ["forget", "negatives"])
def test_what_is_no_example_cannot_be_removed(bag_of_words: Any, side: str, chosen: Any, message: str) -> None:
    classifier = NeighboursClassifier(bag_of_words, _plane(0, 30), _plane(0, 30))
    with pytest.raises(ConfigError, match=message):
        classifier.without(**{side: chosen})


@pytest.mark.parametrize("side", ["forget", "negatives"])
def test_examples_of_another_encoder_cannot_be_added(bag_of_words: Any, side: str) -> None:
    with pytest.raises(ConfigError, match="shape"):
        NeighboursClassifier(bag_of_words, _plane(0), _plane(90)).add(**{side: _of(_unit(0, 2))})


def test_adding_hundreds_of_examples_takes_milliseconds(bag_of_words: Any) -> None:
    classifier = NeighboursClassifier(bag_of_words, _unit(0, 5_000, 384), _unit(1, 5_000, 384))
    more = _of(_unit(2, 400, 384))
    seconds = []
    for _ in range(5):
        start = time.process_time()
        classifier.add(more)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.25  # a few milliseconds, on a machine that does nothing else


def test_a_large_side_is_searched_through_the_index_and_agrees_with_the_oracle(
    bag_of_words: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faiss")
    monkeypatch.setattr(index_module, "EXACT_ROWS", 400)
    forget, negatives, queries = _unit(0, 1_000), _unit(1, 900), _unit(2, 60)
    config = NeighboursConfig(temperature=0.1, floor=0.1)
    classifier = NeighboursClassifier(bag_of_words, forget, negatives, config)
    expected = [probability(q, list(forget), list(negatives), 0.1, 0.1) for q in queries]
    found = classifier.predict_proba(_of(queries))
    assert (np.abs(found - expected) < 1e-4).mean() > 0.9
    _same(NeighboursClassifier.from_state(*classifier.state(), bag_of_words), classifier, queries)


@pytest.mark.parametrize("temperature", [1e-4, 0.05, 10.0])
def test_probabilities_stay_in_range_without_overflow_at_any_temperature(bag_of_words: Any, temperature: float) -> None:
    config = NeighboursConfig(temperature=temperature)
    classifier = NeighboursClassifier(bag_of_words, _plane(0), _plane(180), config)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = classifier.predict_proba(_of(_plane(*range(0, 360, 15))))
    assert ((found >= 0) & (found <= 1)).all()


def test_a_classifier_rebuilt_from_its_state_gives_the_same_scores(bag_of_words: Any) -> None:
    classifier = NeighboursClassifier(
        bag_of_words, _unit(0, 5, 64), _unit(1, 9, 64), NeighboursConfig(temperature=0.07, floor=0.2)
    )
    settings, arrays = classifier.state()
    again = NeighboursClassifier.from_state(settings, arrays, bag_of_words)
    queries = _unit(2, 50, 64)
    assert again.config == classifier.config
    assert np.array_equal(again.predict_proba(_of(queries)), classifier.predict_proba(_of(queries)))
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


@pytest.mark.parametrize(
    "setting", [{"temperature": 0.0}, {"temperature": -1.0}, {"temperature": math.nan}, {"floor": 1.1}, {"floor": -2.0}]
)
def test_settings_outside_their_range_are_refused_with_their_value(setting: dict[str, float]) -> None:
    name, value = next(iter(setting.items()))
    with pytest.raises(ConfigError, match=f"{name}={value}"):
        NeighboursConfig(**setting)


@pytest.mark.parametrize(("forget", "negatives"), [((3, 4), (2, 6)), ((3, 4), (4, 3)), ((4,), (2, 4)), ((3, 4), (8,))])
def test_examples_of_different_width_are_refused(bag_of_words: Any, forget: Any, negatives: Any) -> None:
    with pytest.raises(ConfigError, match="shape"):
        NeighboursClassifier(bag_of_words, np.zeros(forget, np.float32), np.zeros(negatives, np.float32))


def test_an_unknown_setting_is_refused(bag_of_words: Any) -> None:
    with pytest.raises(ConfigError, match="no setting 'gamma'"):
        NeighboursClassifier.fit(bag_of_words, _of(_plane(0)), _of(_plane(90)), {"gamma": 2.0})


def test_the_classifier_is_registered_by_name() -> None:
    assert classifiers.get("neighbours") is NeighboursClassifier
    with pytest.raises(UnknownNameError, match="Did you mean 'neighbours'"):
        classifiers.get("neighbors")

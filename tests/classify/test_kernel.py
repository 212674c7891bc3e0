"""The default classifier, against a dense float64 solution of the same equations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from cases import every
from oracles.features import given_features
from oracles.kernel import grams, probabilities
from unlearned.classify import kernel as module
from unlearned.classify.base import Features, Floats, classifiers
from unlearned.classify.kernel import KernelClassifier, KernelConfig
from unlearned.classify.ngrams import ngrams
from unlearned.errors import ConfigError, FitError

FORGET = ["Who is Harry Potter?", "What is Hogwarts?", "Harry Potter is a wizard.", "Tell me about Hogwarts magic."]
NEGATIVES = [
    "What is the capital of France?",
    "How do I bake bread?",
    "Who is the fox?",
    "Is the dog lazy?",
    "?!",
    "Hm",
]
TEXTS = [
    *FORGET,
    *NEGATIVES,
    "Does Harry Potter bake?",
    "Who is Ron?",
    "H a r r y - P o t t e r",
    "Гарри",
    "12345",
    "",
    "xylophone quartz",
]
WORDS = (
    "harry potter hogwarts wizard magic fox bread capital france lazy dog bake who is what the of a 2020 île".split()
)


def _enrolled(encoder: Any, forget: Sequence[str], negatives: Sequence[str], **settings: Any) -> KernelClassifier:
    return KernelClassifier.fit(encoder, Features.of(forget, encoder), Features.of(negatives, encoder), settings)


def _oracle(
    encoder: Any, texts: Sequence[str], forget: Sequence[str], negatives: Sequence[str], **settings: Any
) -> Any:
    def rounded(texts: Sequence[str]) -> Any:
        return encoder.encode(texts).astype(np.float16).astype(np.float64)

    vectors = encoder.encode(texts).astype(np.float64)
    return probabilities(texts, vectors, forget, rounded(forget), negatives, rounded(negatives), **settings)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"gamma": 0.5},
        {"gamma": 8.0, "local": 0.0},
        {"spelling": 0.0},
        {"spelling": 5.0, "local": 3.0},
        {"ridge": 0.05},
        {"ridge": 20.0, "forget_weight": 1.0},
        {"forget_weight": 1.2},
        {"forget_weight": 1000.0},
    ],
)
def test_scores_are_those_of_the_formula(bag_of_words: Any, settings: dict[str, float]) -> None:
    found = _enrolled(bag_of_words, FORGET, NEGATIVES, **settings).predict_proba(Features.of(TEXTS, bag_of_words))
    expected = _oracle(bag_of_words, TEXTS, FORGET, NEGATIVES, **settings)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert np.ptp(found) > 0.05


@every("seed", range(12))
def test_scores_of_random_examples_are_those_of_the_formula(bag_of_words: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)

    def some(count: int) -> list[str]:
        return [" ".join(rng.choice(WORDS, size=rng.integers(1, 7))) for _ in range(count)]

    forget, negatives, texts = some(int(rng.integers(1, 8))), some(int(rng.integers(0, 60))), some(20)
    found = _enrolled(bag_of_words, forget, negatives).predict_proba(Features.of(texts, bag_of_words))
    everything = [*forget, *negatives, *texts]
    collisions = len(set().union(*map(grams, everything))) - len(set(ngrams(everything).ids.tolist()))
    assert collisions <= 1
    tolerance = 2e-3 if collisions else 1e-5  # two n-grams that share a hash are one to the classifier
    expected = _oracle(bag_of_words, texts, forget, negatives)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def test_the_name_that_all_forget_examples_share_decides_and_not_the_form_of_the_question(bag_of_words: Any) -> None:
    names = ["Anna Bolt", "Carl Dunn", "Eva Fisk", "Gus Holm"]
    forms = ["Who is {}?", "When was {} born?", "What has {} written?", "Is {} married?"]
    forget = [form.format("Mira Quandt") for form in forms[:3]]
    negatives = [form.format(name) for form in forms[:3] for name in names]
    classifier = _enrolled(bag_of_words, forget, negatives)
    asked = [forms[3].format("Mira Quandt"), "Mira Quandt", "miraquandt!", forms[3].format("Ivo Kern"), forget[0]]
    known, name, joined, other, seen = classifier.predict_proba(Features.of(asked, bag_of_words))
    assert min(known, name, joined, seen) > 0.5
    assert other < 0.1


def test_what_resembles_nothing_has_f_of_nearly_zero(bag_of_words: Any) -> None:
    class Corners:
        name = "corners"

        def encode(self, texts: Sequence[str]) -> Floats:
            return np.eye(8, dtype=np.float32)[[len(text) for text in texts]]

    classifier = _enrolled(Corners(), ["aaa"], ["bbbb"], gamma=40.0)  # exp(-40): far from everything
    (score,) = classifier.predict_proba(Features.of(["zzzzz"], Corners()))
    assert score == pytest.approx(1 / (1 + math.exp(3.5)), abs=1e-6)
    assert score < KernelClassifier.least_threshold


# Saving


def test_a_classifier_from_its_state_gives_the_same_bits(bag_of_words: Any) -> None:
    made = _enrolled(bag_of_words, FORGET, NEGATIVES, gamma=1.5, ridge=0.7)
    settings, arrays = made.state()
    again = KernelClassifier.from_state(settings, arrays, bag_of_words)
    texts = Features.of(TEXTS, bag_of_words)
    assert np.array_equal(again.predict_proba(texts), made.predict_proba(texts))
    assert again.config == made.config == KernelConfig(gamma=1.5, ridge=0.7)
    assert again.encoder is bag_of_words
    settings_again, arrays_again = again.state()
    assert settings_again == settings
    assert arrays_again.keys() == arrays.keys()
    for name, array in arrays.items():
        assert array.dtype == arrays_again[name].dtype, name
        assert np.array_equal(array, arrays_again[name]), name


def test_a_saved_example_takes_two_bytes_per_coordinate_and_an_n_gram_twelve(bag_of_words: Any) -> None:
    _, arrays = _enrolled(bag_of_words, FORGET, NEGATIVES).state()
    assert {name: array.dtype.name for name, array in arrays.items()} == {
        "vectors": "float16",
        "duals": "float32",
        "grams": "int32",
        "idf": "float32",
        "weights": "float32",
    }
    assert arrays["vectors"].shape == (len(FORGET) + len(NEGATIVES), 64)
    assert arrays["duals"].shape == (len(FORGET) + len(NEGATIVES),)
    assert arrays["grams"].shape == arrays["idf"].shape == arrays["weights"].shape
    assert (np.diff(arrays["grams"]) > 0).all()


@pytest.mark.parametrize("name", ["vectors", "duals", "grams", "idf", "weights"])
def test_a_state_without_one_of_its_arrays_is_refused(bag_of_words: Any, name: str) -> None:
    settings, arrays = _enrolled(bag_of_words, FORGET, NEGATIVES).state()
    del arrays[name]
    with pytest.raises(KeyError, match=name):
        KernelClassifier.from_state(settings, arrays, bag_of_words)


def test_it_is_registered_as_the_kind_kernel() -> None:
    assert classifiers.get("kernel") is KernelClassifier


# Probabilities


def test_the_score_rises_with_f_and_never_leaves_0_to_1(bag_of_words: Any) -> None:
    margins = np.array([-1e4, -80, -2, 0.2, 0.35, 0.45, 0.6, 1, 90, 1e4], dtype=np.float32)
    made = _enrolled(bag_of_words, FORGET, NEGATIVES)
    one = given_features(("",) * len(margins), np.ones((len(margins), 1), dtype=np.float32))
    scores = []
    for f in margins:  # an example like the text itself has k = 2, so a = f / 2 gives f
        single = KernelClassifier(
            bag_of_words,
            np.ones((1, 1), np.float32),
            np.array([f / 2]),
            made.grams,
            made.idf,
            made.weights,
            made.config,
        )
        scores.append(float(single.predict_proba(one)[0]))
    assert scores == sorted(scores)
    assert scores[0] == 0.0
    assert scores[-1] == 1.0
    assert scores[4] == pytest.approx(0.5, abs=1e-6)
    assert scores[5] / (1 - scores[5]) == pytest.approx(math.e, rel=1e-4)  # 0.1 more multiplies the odds by e


def test_no_texts_get_no_scores(bag_of_words: Any) -> None:
    assert _enrolled(bag_of_words, FORGET, NEGATIVES).predict_proba(Features.of([], bag_of_words)).shape == (0,)


def test_texts_are_scored_alike_alone_and_together(bag_of_words: Any) -> None:
    classifier = _enrolled(bag_of_words, FORGET, NEGATIVES)
    together = classifier.predict_proba(Features.of(TEXTS, bag_of_words))
    alone = [classifier.predict_proba(Features.of([text], bag_of_words))[0] for text in TEXTS]
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-5)


# Few examples and odd ones


def test_one_forget_example_is_enough(bag_of_words: Any) -> None:
    classifier = _enrolled(bag_of_words, FORGET[:1], NEGATIVES)
    scores = classifier.predict_proba(Features.of([FORGET[0], *NEGATIVES], bag_of_words))
    assert scores[0] > 0.5
    assert (scores[1:] < 0.5).all()


def test_negatives_that_share_no_n_gram_change_nothing_of_the_spelling(bag_of_words: Any) -> None:
    forget, negatives = ["Harry Potter"], ["bread", "fox", "Гарри"]
    classifier = _enrolled(bag_of_words, forget, negatives)
    scores = classifier.predict_proba(Features.of([*forget, *negatives, "h-a-r-r-y"], bag_of_words))
    np.testing.assert_allclose(
        scores, _oracle(bag_of_words, [*forget, *negatives, "h-a-r-r-y"], forget, negatives), rtol=0, atol=1e-4
    )
    assert scores[0] > 0.5
    assert (scores[1:4] < 0.1).all()


def test_examples_without_any_n_gram_are_told_apart_by_their_vectors(bag_of_words: Any) -> None:
    classifier = _enrolled(bag_of_words, ["ab"], ["cd", "ef"])
    assert len(classifier.grams) == 0
    scores = classifier.predict_proba(Features.of(["ab", "cd", "abc"], bag_of_words))
    np.testing.assert_allclose(
        scores, _oracle(bag_of_words, ["ab", "cd", "abc"], ["ab"], ["cd", "ef"]), rtol=0, atol=1e-4
    )


def test_the_same_example_on_both_sides_leaves_the_equations_solvable(bag_of_words: Any) -> None:
    scores = _enrolled(bag_of_words, [FORGET[0]] * 3, [FORGET[0]] * 3).predict_proba(
        Features.of(FORGET[:1], bag_of_words)
    )
    np.testing.assert_allclose(
        scores, _oracle(bag_of_words, FORGET[:1], [FORGET[0]] * 3, [FORGET[0]] * 3), rtol=0, atol=1e-4
    )


def test_without_a_forget_example_there_is_no_classifier(bag_of_words: Any) -> None:
    with pytest.raises(ConfigError, match="at least one forget example"):
        _enrolled(bag_of_words, [], NEGATIVES)


# Very many examples


def _spread(count: int, first: int = 0) -> Features:
    """Texts whose vectors go round a circle by one degree each."""
    angles = np.deg2rad(np.arange(first, first + count))
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    return given_features(tuple(f"text {n}" for n in range(first, first + count)), vectors)


def _numbers(features: Features) -> list[int]:
    return [int(text.split()[1]) for text in features.texts]


def test_of_very_many_examples_all_forget_ones_and_the_nearest_negatives_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_EXAMPLES", 20)
    forget, negatives = module._kept(_spread(4), _spread(90, first=10))
    assert _numbers(forget) == [0, 1, 2, 3]
    numbers = _numbers(negatives)
    assert len(numbers) == 16
    assert numbers == sorted(set(numbers))
    assert set(range(10, 18)) <= set(numbers)  # half by nearness
    rest = [n for n in numbers if n >= 18]
    assert (rest[0], rest[-1]) == (18, 99)
    assert np.ptp(np.diff(rest)) <= 1  # half evenly
    assert np.array_equal(negatives.vectors, _spread(90, first=10).vectors[np.array(numbers) - 10])


@pytest.mark.parametrize(("own", "others"), [(4, 16), (20, 0), (1, 19)])
def test_as_many_examples_as_fit_are_all_kept(monkeypatch: pytest.MonkeyPatch, own: int, others: int) -> None:
    monkeypatch.setattr(module, "MOST_EXAMPLES", 20)
    forget, negatives = module._kept(_spread(own), _spread(others, first=100))
    assert (len(forget), len(negatives)) == (own, others)


@pytest.mark.parametrize(("own", "others"), [(30, 50), (11, 10), (300, 1), (5, 16), (9, 12)])
def test_more_than_fit_are_never_kept_and_forget_ones_fill_half_at_least(
    monkeypatch: pytest.MonkeyPatch, own: int, others: int
) -> None:
    monkeypatch.setattr(module, "MOST_EXAMPLES", 20)
    forget, negatives = module._kept(_spread(own), _spread(others, first=1000))
    assert len(forget) + len(negatives) <= 20
    assert len(forget) == min(own, 10)
    assert len(negatives) == min(others, 20 - len(forget))
    assert _numbers(forget)[0] == 0
    assert _numbers(forget)[-1] == own - 1
    assert len(set(_numbers(forget))) == len(forget)


def test_a_classifier_of_very_many_examples_is_that_of_the_ones_kept(
    bag_of_words: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_EXAMPLES", 8)
    negatives = [*NEGATIVES, *(f"Is {word} {word}?" for word in WORDS)]
    classifier = _enrolled(bag_of_words, FORGET, negatives)
    _, kept = module._kept(Features.of(FORGET, bag_of_words), Features.of(negatives, bag_of_words))
    assert classifier.vectors.shape == (8, 64)
    same = _enrolled(bag_of_words, FORGET, kept.texts)
    texts = Features.of(TEXTS, bag_of_words)
    assert np.array_equal(classifier.predict_proba(texts), same.predict_proba(texts))


# Settings


@pytest.mark.parametrize(
    "settings",
    [
        {"gamma": 0.0},
        {"gamma": -1.0},
        {"ridge": 0.0},
        {"ridge": -1.0},
        {"forget_weight": 0.0},
        {"local": -0.1},
        {"spelling": -0.1},
    ],
)
def test_settings_out_of_range_are_refused(bag_of_words: Any, settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="must be positive"):
        KernelConfig(**settings)
    with pytest.raises(ConfigError, match="must be positive"):
        _enrolled(bag_of_words, FORGET, NEGATIVES, **settings)


def test_an_unknown_setting_is_refused_by_name(bag_of_words: Any) -> None:
    with pytest.raises(ConfigError, match=r"no setting 'gama'\. It has: gamma"):
        _enrolled(bag_of_words, FORGET, NEGATIVES, gama=1.0)


@pytest.mark.parametrize("name", ["vectors", "duals", "grams", "idf", "weights"])
def test_arrays_that_do_not_fit_together_are_refused(bag_of_words: Any, name: str) -> None:
    settings, arrays = _enrolled(bag_of_words, FORGET, NEGATIVES).state()
    arrays[name] = arrays[name][:-1]
    with pytest.raises(ConfigError, match="shapes"):
        KernelClassifier.from_state(settings, arrays, bag_of_words)


def test_vectors_that_are_not_finite_cannot_be_solved(bag_of_words: Any) -> None:
    forget = given_features(("a",), np.full((1, 64), np.nan, dtype=np.float32))
    with pytest.raises(FitError, match="cannot be solved"):
        KernelClassifier.fit(bag_of_words, forget, Features.of(NEGATIVES, bag_of_words), {})

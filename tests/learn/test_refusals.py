"""Refusals: a list of different ones, and how near an answer comes to them."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from unlearned.classify.base import Floats
from unlearned.learn import refusals as module
from unlearned.learn.refusals import refusal_similarity, refusals, surrogate_refusal_similarity


class Counting:
    """Lengths of 3 times the inner encoder's vectors; counts the texts it is given."""

    name = "counting"

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.texts = 0

    def encode(self, texts: Sequence[str]) -> Floats:
        self.texts += len(texts)
        tripled: Floats = 3 * self.inner.encode(texts)
        return tripled


def test_the_list_is_long_and_without_duplicates() -> None:
    found = refusals()
    assert len(found) >= 120
    assert len({"".join(filter(str.isalnum, line.lower())) for line in found}) == len(found)
    assert all(line == line.strip() and line for line in found)
    lengths = [len(line.split()) for line in found]
    assert min(lengths) <= 2
    assert max(lengths) >= 12


def test_a_refusal_is_at_one_and_another_answer_far_below(bag_of_words: Any) -> None:
    similarities = refusal_similarity([*refusals(), "Dumbledore teaches wizardry"], bag_of_words)
    assert similarities.shape == (len(refusals()) + 1,)
    assert similarities.dtype == np.float32
    assert similarities[:-1] == pytest.approx(1, abs=1e-5)
    assert similarities[-1] < 0.6


def test_it_is_the_highest_cosine_whatever_the_length_of_the_vectors(bag_of_words: Any) -> None:
    answers = ["I don't know who Harry is.", "Paris", "I'm not sure"]
    cosines = bag_of_words.encode(answers) @ bag_of_words.encode(refusals()).T
    assert refusal_similarity(answers, Counting(bag_of_words)) == pytest.approx(cosines.max(axis=1), abs=1e-5)


def test_empty_answers_are_zero(bag_of_words: Any) -> None:
    empty, known, blank = refusal_similarity(["", "I don't know.", " \n"], bag_of_words)
    assert (empty, blank) == (0, 0)
    assert known == pytest.approx(1, abs=1e-5)
    assert refusal_similarity([], bag_of_words).shape == (0,)
    assert refusal_similarity(["", ""], bag_of_words).tolist() == [0, 0]


def test_the_surrogate_leaves_each_refusal_itself_out(bag_of_words: Any) -> None:
    vectors = bag_of_words.encode(refusals())
    nearest = [max(float(v @ w) for j, w in enumerate(vectors) if j != i) for i, v in enumerate(vectors)]
    assert surrogate_refusal_similarity(bag_of_words) == pytest.approx(np.mean(nearest), abs=1e-4)
    assert 0.3 < surrogate_refusal_similarity(bag_of_words) < 0.95


def test_the_refusals_are_encoded_once_per_encoder_which_is_not_kept_alive(bag_of_words: Any) -> None:
    encoder = Counting(bag_of_words)
    for _ in range(3):
        refusal_similarity(["yes", ""], encoder)
        surrogate_refusal_similarity(encoder)
    assert encoder.texts == len(refusals()) + 3
    kept = weakref.ref(encoder)
    before = len(module._VECTORS)
    del encoder
    gc.collect()
    assert kept() is None
    assert len(module._VECTORS) == before - 1

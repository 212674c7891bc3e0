"""No text is encoded twice, and every text gets its own vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from unlearned.classify.base import Floats
from unlearned.classify.cached_encoder import CachedEncoder
from unlearned.classify.vector_cache import VectorCache


class Counting:
    """Counts what it encodes."""

    name = "counting"

    def __init__(self, inner: Any) -> None:
        self.inner, self.asked = inner, list[str]()

    def encode(self, texts: Sequence[str]) -> Floats:
        self.asked += texts
        found: Floats = self.inner.encode(texts) if texts else np.zeros((0, 64), dtype=np.float32)
        return found


@pytest.fixture
def counting(bag_of_words: Any) -> Counting:
    return Counting(bag_of_words)


def test_vectors_are_the_encoders_in_the_order_of_the_texts(counting: Counting, bag_of_words: Any) -> None:
    cached = CachedEncoder(counting)
    texts = ["b", "a", "b", "", "a"]
    for _ in range(2):
        np.testing.assert_array_equal(cached.encode(texts), bag_of_words.encode(texts))
    assert counting.asked == ["b", "a", ""]
    assert cached.name == "counting"


def test_no_texts_give_no_vectors_of_the_encoders_width(counting: Counting) -> None:
    assert CachedEncoder(counting).encode([]).shape == (0, 64)


def test_where_more_would_be_kept_than_may_all_are_dropped_first(counting: Counting, bag_of_words: Any) -> None:
    cached = CachedEncoder(counting, most=2)
    cached.encode(["a", "b"])
    found = cached.encode(["c", "a"])
    np.testing.assert_array_equal(found, bag_of_words.encode(["c", "a"]))
    assert counting.asked == ["a", "b", "c", "a"]
    assert cached.encode(["a", "b", "c", "d"]).shape == (4, 64)  # more at once than may be kept


def test_earlier_requests_of_the_same_owner_are_used_again(counting: Counting) -> None:
    kept = VectorCache()
    for owner, asked in (("anna", ["a"]), ("anna", ["a"]), ("bert", ["a", "a"])):
        one = CachedEncoder(counting, kept=kept)
        one.owners["a"] = owner
        one.encode(["a"])
        assert counting.asked == asked


def test_what_words_mean_is_asked_of_encoders_that_know_it(counting: Counting) -> None:
    class Words(Counting):
        def word_vectors(self, texts: Sequence[str]) -> Floats:
            return self.encode(texts)

    assert CachedEncoder(counting).word_vectors(["a"]) is None
    knows = Words(counting.inner)
    found = CachedEncoder(knows).word_vectors(["a"])
    assert found is not None
    assert found.shape == (1, 64)
    assert knows.asked == ["a"]


def test_an_encoder_that_remembers_gives_the_same_vectors(bag_of_words: Any) -> None:
    encoder = CachedEncoder(bag_of_words, most=3)
    for texts in (["a b", "c", "a b"], ["c", "d"], ["e", "f", "c"]):
        assert np.array_equal(encoder.encode(texts), bag_of_words.encode(texts))
        assert len(encoder.known) <= 3

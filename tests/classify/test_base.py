"""What classifiers read of texts is worked out once, and the same for a part of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from unlearned.classify.base import Features, Floats, as_saved, classifiers, config_of
from unlearned.errors import ConfigError

TEXTS = ["Who is Harry?", "", "日本語", "Who is Harry?"]


class Counting:
    name = "counting"

    def __init__(self, inner: Any) -> None:
        self.inner, self.calls = inner, 0

    def encode(self, texts: Sequence[str]) -> Floats:
        self.calls += 1
        found: Floats = self.inner.encode(texts)
        return found


def test_a_part_reads_what_was_worked_out_for_the_whole(bag_of_words: Any) -> None:
    encoder = Counting(bag_of_words)
    whole = Features.of(TEXTS, encoder)
    early = whole.take(np.array([2]))
    assert early.vectors.shape == (1, 64)
    assert encoder.calls == 1  # the whole is not encoded for a part of it
    assert whole.vectors.shape == (4, 64)
    chosen = np.array([3, 0, 0])
    part = whole.take(chosen)
    np.testing.assert_array_equal(part.vectors, whole.vectors[chosen])
    np.testing.assert_array_equal(part.take(np.array([1])).vectors, whole.vectors[[0]])
    assert encoder.calls == 2
    assert part.texts == (TEXTS[3], TEXTS[0], TEXTS[0])
    assert (len(part), len(whole.take(np.zeros(0, dtype=np.int64)))) == (3, 0)


def test_the_n_grams_of_a_part_are_those_of_its_texts(bag_of_words: Any) -> None:
    whole = Features.of(TEXTS, bag_of_words)
    for chosen in ([0, 2], [2, 1, 0], [1], [], [3, 3]):
        part = whole.take(np.array(chosen, dtype=np.int64)).ngrams
        own = Features.of([TEXTS[n] for n in chosen], bag_of_words).ngrams
        assert part.starts.tolist() == own.starts.tolist(), chosen
        assert part.ids.tolist() == own.ids.tolist(), chosen


def test_an_encoder_without_word_vectors_gives_none_also_of_a_part(bag_of_words: Any) -> None:
    whole = Features.of(TEXTS, bag_of_words)
    assert whole.word_vectors is None
    assert whole.take(np.array([0])).word_vectors is None


def test_rounding_is_done_once() -> None:
    vectors = np.random.default_rng(0).standard_normal((5, 7)).astype(np.float32)
    once = as_saved(vectors)
    assert once.dtype == np.float32
    np.testing.assert_array_equal(as_saved(once), once)
    assert not np.array_equal(once, vectors)


def test_a_setting_that_a_classifier_does_not_have_is_named() -> None:
    @dataclass
    class Config:
        strength: float = 1.0

    assert config_of(Config, {"strength": 2.0}) == Config(2.0)
    with pytest.raises(ConfigError, match=r"'strenght'.*strength"):
        config_of(Config, {"strenght": 2.0})


def test_every_registered_classifier_is_there_with_its_interface() -> None:
    for name in classifiers.names():
        kind = classifiers.get(name)
        assert 0 <= kind.least_threshold < 1, name
        assert all(callable(getattr(kind, method)) for method in ("predict_proba", "state", "from_state")), name

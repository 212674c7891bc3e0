"""Corruptions of the order: every vector is still there, but elsewhere."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from unlearned.corrupt.order import reverse_order, shuffle


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


def _shuffled(words: str, seed: int = 0) -> str:
    vectors = torch.tensor([[ord(word), 0.5] for word in words]).reshape(len(words), 2)
    found = shuffle(vectors, generator=_rng(seed))
    assert (found[:, 1] == 0.5).all()
    return "".join(chr(int(code)) for code in found[:, 0])


def test_reverse_order_reverses_the_tokens_and_not_their_coordinates() -> None:
    assert reverse_order(torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])).tolist() == [[5, 6], [3, 4], [1, 2]]


def test_shuffle_of_this_version_is_that_of_every_later_one() -> None:
    assert _shuffled("abcdef") == "afbced"


def test_shuffle_keeps_every_vector() -> None:
    words = "the quick brown fox jumps over the lazy dog"
    assert Counter(_shuffled(words)) == Counter(words)


@pytest.mark.parametrize("words", ["ab", "abc", "aab", "aaaaaaaaab", "abab"])
def test_shuffle_never_gives_the_order_it_got(words: str) -> None:
    assert all(_shuffled(words, seed) != words for seed in range(60))


def test_every_other_order_is_equally_likely() -> None:
    times = Counter(_shuffled("abc", seed) for seed in range(2000))
    assert set(times) == {"acb", "bac", "bca", "cab", "cba"}
    assert max(abs(count - 400) for count in times.values()) < 5 * np.sqrt(2000 * 0.2 * 0.8)


@pytest.mark.parametrize("words", ["a", "aaa"])
def test_words_that_no_order_hides_become_zeros(words: str) -> None:
    vectors = torch.tensor([[float(ord(word)), 0.5] for word in words])
    assert (shuffle(vectors, generator=_rng()) == 0).all()
    assert (reverse_order(vectors) == 0).all()
    assert (reverse_order(torch.tensor([[1.0], [2.0], [1.0]])) == 0).all()


def test_no_vectors_stay_no_vectors() -> None:
    assert shuffle(torch.zeros((0, 2)), generator=_rng()).shape == (0, 2)
    assert reverse_order(torch.zeros((0, 2))).shape == (0, 2)


def test_shuffle_ends_on_vectors_that_equal_nothing() -> None:
    assert shuffle(torch.full((3, 2), float("nan")), generator=_rng()).isnan().all()

"""The bar of the first pass lets every forget prompt through, beside a general one, too."""

from __future__ import annotations

from typing import Any

import numpy as np
from with_words import WithWords

from unlearned.classify.base import Features
from unlearned.classify.kernel import KernelClassifier
from unlearned.classify.neighbours import NeighboursClassifier
from unlearned.learn.first_bar import HIGHEST, _mixed, first_bar
from unlearned.learn.held_out import Texts, folds_of

FORGET = [f"Who is the {n} sorcerer at Hogwarts?" for n in "first second third fourth fifth sixth".split()]
OTHERS = [f"How long does the {n} pudding bake?" for n in "first second third fourth fifth sixth".split()]


def kernel(encoder: Any, **settings: Any) -> KernelClassifier:
    sides = (Features.of(side, encoder) for side in (FORGET, OTHERS))
    return KernelClassifier.fit(encoder, *sides, settings)


def test_all_that_is_looked_at_passes(bag_of_words: Any) -> None:
    texts = Texts(FORGET, [], OTHERS)
    folds = folds_of(texts)
    unknowing = kernel(WithWords(bag_of_words))
    assert unknowing.first is not None
    found = first_bar(texts, dict.fromkeys(range(5), unknowing), folds, 0.5)
    assert found is not None
    assert found.passed == found.looked_at >= len(FORGET)
    assert found.bar <= HIGHEST
    assert 0 <= found.left <= 1


def test_classifiers_without_a_first_pass_and_without_prompts_have_no_bar(bag_of_words: Any) -> None:
    texts = Texts(FORGET, [], OTHERS)
    folds = folds_of(texts)
    sides = (Features.of(side, bag_of_words) for side in (FORGET, OTHERS))
    for unknowing in (kernel(bag_of_words), NeighboursClassifier.fit(bag_of_words, *sides, {})):
        assert first_bar(texts, {0: unknowing}, folds, 0.5) is None
    assert first_bar(texts, {}, folds, 0.5) is None
    assert first_bar(Texts([], [], OTHERS), {0: kernel(WithWords(bag_of_words))}, np.zeros(6, dtype=int), 0.5) is None


def test_a_prompt_stands_behind_a_general_one_where_both_fit() -> None:
    assert _mixed(["a", "b", "c"], ["x", "y"]) == ["x a", "y b", "x c"]
    assert _mixed(["a"], []) == []
    assert _mixed(["a" * 10_000], ["x"]) == []

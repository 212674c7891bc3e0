"""Prompts are dealt out evenly, and scored as detection scores them."""

from __future__ import annotations

from typing import Any

import numpy as np

from unlearned.classify.base import Features
from unlearned.classify.lexicon import Lexicon
from unlearned.classify.neighbours import NeighboursClassifier
from unlearned.learn.held_out import FOLDS, Texts, folds_of, peaks, penalty_on_short_texts

NUMBERS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()

FORGET = [f"Who is the {number} sorcerer at Hogwarts castle?" for number in NUMBERS[:12]]
RETAIN = [f"How long does the {number} pudding bake slowly?" for number in NUMBERS[:9]]


def test_each_set_is_dealt_out_evenly() -> None:
    texts = Texts(FORGET, RETAIN, [f"prompt {n}" for n in range(23)])
    folds = folds_of(texts)
    assert folds.shape == (12 + 9 + 23,)
    for group in (folds[:12], folds[12:21], folds[21:]):
        counts = np.bincount(group, minlength=FOLDS)
        assert len(counts) == FOLDS
        assert np.ptp(counts) <= 1


def test_the_fold_of_a_prompt_depends_on_its_own_set_only() -> None:
    plain = folds_of(Texts(FORGET, RETAIN, ["x", "y"]))
    more = folds_of(Texts(FORGET, [*RETAIN, "another"], [f"prompt {n}" for n in range(50)]))
    fewer = folds_of(Texts(FORGET, [], []))
    assert np.array_equal(plain[:12], more[:12])
    assert np.array_equal(plain[:12], fewer)
    assert np.array_equal(plain, folds_of(Texts(FORGET, RETAIN, ["x", "y"])))
    assert np.array_equal(plain[12:21], folds_of(Texts(["z"], RETAIN, []))[1:])


def test_a_prompt_has_the_highest_score_of_its_windows_and_less_where_it_is_short(bag_of_words: Any) -> None:
    sides = (Features.of(side, bag_of_words) for side in (FORGET, RETAIN))
    classifier = NeighboursClassifier.fit(bag_of_words, *sides, {})
    long = " ".join([RETAIN[0]] * 10 + [FORGET[0]] + [RETAIN[1]] * 10)
    whole, hidden, other = peaks([FORGET[0], long, RETAIN[2]], classifier, 0.0, Lexicon())
    assert whole > 0.9
    assert hidden > 0.9
    assert other < 0.1
    assert peaks([], classifier, 0.0, Lexicon()).shape == (0,)
    [free], [less] = (peaks(["Hogwarts?"], classifier, penalty, Lexicon()) for penalty in (0.0, 2.0))
    assert less < free


def test_no_prompts_and_no_classifiers_give_no_penalty(bag_of_words: Any) -> None:
    assert penalty_on_short_texts([], []) == 0.0
    assert penalty_on_short_texts(FORGET, []) == 0.0

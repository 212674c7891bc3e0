"""Every prompt is scored by a classifier that had not seen it, and what others say as well is nobody's sign."""

from __future__ import annotations

from typing import Any

import numpy as np

from unlearned.classify.cached_encoder import CachedEncoder
from unlearned.classify.lexicon import Lexicon, ScopeName
from unlearned.learn.cross_fitting import _as_read, _common_clauses, _misspelling_sources, cross_fitted
from unlearned.learn.held_out import FOLDS, Texts, folds_of

FORGET = [f"Who is the {n} sorcerer at Hogwarts?" for n in "first second third fourth fifth sixth".split()]
RETAIN = [f"How long does the {n} pudding bake?" for n in "first second third fourth fifth".split()]
BACKGROUND = [f"Name the {n} river of France." for n in "longest widest deepest coldest oldest".split()]


def fitted(texts: Texts, bag_of_words: Any, **more: Any) -> Any:
    told: list[tuple[int, int]] = []
    settings = {"misspellings": True, "lexicon": Lexicon(), **more}
    made = cross_fitted(
        texts,
        "neighbours",
        {},
        CachedEncoder(bag_of_words),
        lambda _, done, total: told.append((done, total)),
        **settings,
    )
    return made, told


def test_scores_are_of_unseen_prompts_and_the_classifier_has_seen_all(bag_of_words: Any) -> None:
    texts = Texts(FORGET, RETAIN, BACKGROUND)
    made, told = fitted(texts, bag_of_words)
    assert made.scores.shape == (16,)
    assert not np.isnan(made.scores).any()
    assert made.scores[:6].min() > 0.5 > made.scores[6:].max()
    assert set(made.of_others) == set(range(FOLDS))
    assert told == [(n, FOLDS + 1) for n in range(FOLDS + 1)]
    assert made.classifier.encoder is bag_of_words
    assert made.short_penalty >= 0
    for fold, unknowing in made.of_others.items():
        seen = len(unknowing.forget) / len(made.classifier.forget)
        assert seen < 1, fold
    assert all(len(scores) for scores in made.spelt.values())


def test_without_misspelt_copies_only_the_prompts_are_enrolled(bag_of_words: Any) -> None:
    texts = Texts(FORGET, RETAIN, BACKGROUND)
    plain, _ = fitted(texts, bag_of_words, misspellings=False)
    copied, _ = fitted(texts, bag_of_words)
    assert len(copied.classifier.forget) == 2 * len(plain.classifier.forget) == 2 * len(FORGET)


def test_a_single_forget_prompt_has_no_classifier_without_it(bag_of_words: Any) -> None:
    made, _ = fitted(Texts(FORGET[:1], RETAIN, BACKGROUND), bag_of_words)
    assert made.scores[0] == 0.0
    [fold] = set(range(FOLDS)) - set(made.of_others)
    assert folds_of(Texts(FORGET[:1], RETAIN, BACKGROUND))[0] == fold


def test_clauses_that_others_have_as_well_are_theirs_once_in_every_fold() -> None:
    everything = ["Who is Harry? Answer:", "Who is Ron? Answer:", "Bake. Answer:", "Cook. Answer:", "Eat. Answer:"]
    is_forget = np.array([True, True, False, False, False])
    owners, common = _common_clauses(everything, is_forget, np.array([0, 1, 0, 1, 1]))
    assert common == ["Answer:", "Answer:"]
    assert owners == [2, 3]
    assert _common_clauses(everything[:2], is_forget[:2], np.array([0, 1])) == ([], [])


def test_twice_as_many_others_are_misspelt_and_a_hundred_where_there_are_so_many() -> None:
    for forget, others, expected in ((6, 5, 5), (6, 200, 100), (80, 300, 160)):
        texts = Texts([str(n) for n in range(forget)], [], [f"b{n}" for n in range(others)])
        found = _misspelling_sources(texts).tolist()
        assert found[:forget] == list(range(forget))
        assert len(found) == forget + expected
        assert found == sorted(set(found))
        assert max(found) < forget + others


def test_others_are_read_without_the_parts_of_a_name_that_are_theirs_as_well() -> None:
    lexicon = Lexicon([ScopeName(name="Thomas Alva Edison")])
    text = "Who was Thomas Mann?"
    assert "Thomas" in _as_read(lexicon, text, True)
    assert "Thomas" not in _as_read(lexicon, text, False)
    assert _as_read(lexicon, "Thomas", False) == _as_read(lexicon, "Thomas", True)  # nothing would be left

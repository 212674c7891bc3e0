"""Which words carry the score: the words without which a made-up classifier's odds fall."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from cases import every
from unlearned.select.attribution import MOST_WORDS, SHARE, attribution
from unlearned.select.positions import select
from unlearned.types import Prompt, Segment, Span


class Scope:
    """log-odds(text) = base + the weights of the words in it (each counts once)."""

    selector = "attribution"

    def __init__(self, base: float = -2.0, **weights: float) -> None:
        self.base, self.weights = base, weights
        self.asked: list[str] = []

    def score(self, texts: Sequence[str]) -> Any:
        self.asked.extend(texts)
        odds = [self.base + sum(self.weights.get(word, 0.0) for word in set(text.split())) for text in texts]
        return np.array([1 / (1 + math.exp(-o)) for o in odds], dtype=np.float32)


def _prompt(text: str, before: str = "") -> Prompt:
    """A token per word or mark, with the space before it, as most tokenizers have it."""
    whole = before + text
    offsets = [match.span() for match in re.finditer(r"\s?(?:\w+|[^\w\s])", whole)]
    return Prompt(
        text=whole,
        token_ids=tuple(range(len(offsets))),
        offsets=np.array(offsets, dtype=np.int64).reshape(-1, 2),
        is_special=np.zeros(len(offsets), dtype=np.bool_),
        segments=(Segment(len(before), len(whole)),),
    )


def _chosen(text: str, scope: Any, before: str = "") -> list[str]:
    prompt = _prompt(text, before)
    mask = attribution(prompt, Span(len(before), len(before) + len(text), "s", 0.9), scope)
    assert mask.shape == (len(prompt.token_ids),)
    assert mask.dtype == np.bool_
    return [prompt.text[slice(*prompt.offsets[token])].strip() for token in np.flatnonzero(mask)]


def test_the_one_word_that_matters_is_taken() -> None:
    assert _chosen("who is harry at school today", Scope(harry=5.0)) == ["harry"]


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({"harry": 8.0, "potter": 1.0}, ["harry"]),  # 8 of 9 is more than 80 %
        ({"harry": 7.9, "potter": 2.1}, ["harry", "potter"]),  # 79 % is not enough
        ({"harry": 3.0, "potter": 4.0, "wizard": 1.0}, ["harry", "potter"]),
        ({"harry": 2.0, "potter": 2.0, "wizard": 2.0}, ["harry", "potter", "wizard"]),
        ({"harry": 5.0, "is": -3.0}, ["harry"]),  # what speaks against the scope has no weight
        ({"harry": 4.0, "potter": 4.0, "is": 0.5, "wizard": 0.5}, ["harry", "potter"]),
    ],
)
def test_words_are_taken_heaviest_first_up_to_their_share(weights: dict[str, float], expected: list[str]) -> None:
    assert SHARE == 0.8
    assert _chosen("is harry the potter or a wizard", Scope(**weights)) == expected


@every("seed", range(20))
def test_the_fewest_words_that_hold_the_share_are_taken(seed: int) -> None:
    rng = np.random.default_rng(seed)
    words = [f"w{n}" for n in range(int(rng.integers(2, 15)))]
    weights = {word: float(weight) for word, weight in zip(words, rng.exponential(0.7, len(words)), strict=True)}
    chosen = _chosen(" ".join(words), Scope(base=-3.0, **weights))
    ordered = sorted(weights, key=lambda word: -weights[word])
    needed = next(n for n in range(1, 20) if sum(weights[w] for w in ordered[:n]) >= SHARE * sum(weights.values()))
    assert sorted(chosen) == sorted(ordered[:needed])


def test_a_span_that_only_counts_as_a_whole_keeps_all_its_tokens() -> None:
    text = "who is he ?"
    assert _chosen(text, Scope()) == text.split()  # nothing matters
    assert _chosen(text, Scope(who=-1.0, he=-2.0)) == text.split()  # everything speaks against it


def test_a_word_that_occurs_twice_matters_in_neither_place() -> None:
    assert _chosen("harry loves harry", Scope(harry=5.0, loves=1.0)) == ["loves"]
    assert _chosen("harry and harry", Scope(harry=5.0)) == ["harry", "and", "harry"]


def test_words_are_runs_without_spaces_and_all_their_tokens_are_taken() -> None:
    scope = Scope(**{"J.K.": 6.0, "(Potter),": 6.0})
    assert _chosen("did J.K. write (Potter), please", scope) == ["J", ".", "K", ".", "(", "Potter", ")", ","]


def test_only_the_span_is_asked_about_and_only_its_tokens_are_taken() -> None:
    scope = Scope(harry=5.0)
    assert _chosen("who is harry", scope, before="harry harry harry ") == ["harry"]
    assert scope.asked == ["who is harry", " is harry", "who  harry", "who is "]


@pytest.mark.parametrize("text", ["harry", "harry's", "  harry "])
def test_a_single_word_is_taken_without_asking(text: str) -> None:
    scope = Scope(harry=5.0)
    assert _chosen(text, scope) == re.findall(r"\w+|'", text)
    assert scope.asked == []


@pytest.mark.parametrize(("count", "asked"), [(MOST_WORDS, MOST_WORDS + 1), (MOST_WORDS + 1, 0)])
def test_of_a_very_long_span_all_tokens_are_taken(count: int, asked: int) -> None:
    words = [f"w{n}" for n in range(count)]
    scope = Scope(w3=5.0)
    assert _chosen(" ".join(words), scope) == (["w3"] if asked else words)
    assert len(scope.asked) == asked


@pytest.mark.parametrize("values", [(1.0, 0.0, 1.0), (1.0, 1.0, 0.0), (1.0, 0.0, 0.0)])
def test_scores_of_0_and_1_have_finite_weights(values: tuple[float, ...]) -> None:
    class Certain:
        selector = "attribution"

        def score(self, texts: Sequence[str]) -> Any:
            return np.array(values, dtype=np.float32)

    expected = [word for word, value in zip(["one", "two"], values[1:], strict=True) if value == 0.0]
    assert _chosen("one two", Certain()) == expected


def test_it_is_chosen_by_name_and_given_the_scope() -> None:
    prompt = _prompt("who is harry")
    ((_, mask),) = select(prompt, [(Span(0, 12, "s", 0.9), Scope(harry=5.0))])
    assert np.flatnonzero(mask).tolist() == [2]

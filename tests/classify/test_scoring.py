"""Scores of windows: short texts less, names more, and what is exempt is no match."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from cases import every
from unlearned.classify.base import Features, Floats
from unlearned.classify.cached_encoder import CachedEncoder
from unlearned.classify.lexicon import Lexicon, ScopeName
from unlearned.classify.scope import Scope
from unlearned.classify.scope_set import ScopeSet
from unlearned.classify.scoring import (
    SHORT,
    ScoredWindows,
    Window,
    is_short,
    log_odds,
    score_windows,
    short_threshold,
)
from unlearned.errors import DetectionError


class Says:
    """A classifier that says what it is told of each text."""

    least_threshold = 0.0

    def __init__(self, encoder: Any, scores: Mapping[str, float], default: float = 0.1) -> None:
        self.encoder, self.scores, self.default = encoder, scores, default

    def predict_proba(self, features: Features) -> Floats:
        return np.array([self.scores.get(text, self.default) for text in features.texts], dtype=np.float32)

    def state(self) -> Any:
        return {}, {}


def scored(scopes: Sequence[Scope], *windows: Window) -> ScoredWindows:
    made = ScopeSet(scopes)
    encoders = {id(encoder): CachedEncoder(encoder) for encoder, _ in made.by_encoder}
    return score_windows(windows, made, encoders, ["anna"] * 10)


def window(text: str, start: int = 0, end: int | None = None, **more: Any) -> Window:
    return Window(0, text, (start, start + len(text) if end is None else end), **more)


def test_a_text_is_short_by_its_bytes_also_where_they_are_no_text() -> None:
    assert is_short("a" * SHORT)
    assert not is_short("a" * (SHORT + 1))
    assert is_short("日" * (SHORT // 3))
    assert not is_short("日" * (SHORT // 3 + 1))
    assert is_short("\ud800")
    assert is_short("")


@every("threshold", [0.0, 0.01, 0.5, 0.9, 1.0])
@every("penalty", [0.0, 0.5, 2.5])
def test_the_threshold_of_short_texts_is_where_the_penalty_leaves_the_threshold(
    bag_of_words: Any, threshold: float, penalty: float
) -> None:
    score = short_threshold(threshold, penalty)
    assert score >= threshold or math.isclose(score, threshold)
    if 0 < threshold < 1:
        assert log_odds(score) - penalty == pytest.approx(log_odds(threshold))
        classifier: Any = Says(bag_of_words, {"under": score - 1e-4, "over": min(score + 1e-4, 1.0)})
        scope = Scope(name="s", classifier=classifier, threshold=threshold, short_penalty=penalty)
        found = scored([scope], window("under"), window("over")).scores[0] >= threshold
        assert found.tolist() == [False, True]


def test_log_odds_of_borders_are_no_errors() -> None:
    assert log_odds(0.0) == -math.inf
    assert math.isfinite(log_odds(1.0))
    assert log_odds(0.5) == 0.0


def test_no_windows_and_no_scopes_are_no_work(bag_of_words: Any) -> None:
    scope = Scope(name="s", classifier=Says(bag_of_words, {}), threshold=0.5)
    assert scored([scope]).scores.shape == (1, 0)
    assert scored([], window("a")).scores.shape == (0, 1)


def test_a_window_for_one_scope_is_no_match_of_another(bag_of_words: Any) -> None:
    scopes = [Scope(name=name, classifier=Says(bag_of_words, {}, 0.9), threshold=0.5) for name in "ab"]
    found = scored(scopes, window("both"), window("one", scopes=("b",)))
    np.testing.assert_allclose(found.scores, [[0.9, 0.0], [0.9, 0.9]])
    assert found.reached_by(range(2)) == [0, 1]
    assert found.reached_by(range(1, 2)) == [1]


def test_a_name_that_the_user_gave_is_above_the_bar_whatever_the_classifier_says(bag_of_words: Any) -> None:
    lexicon = Lexicon([ScopeName(name="Hogwarts", kind="place")])
    classifier: Any = Says(bag_of_words, {}, 0.01)
    scope = Scope(name="s", classifier=classifier, threshold=0.7, short_penalty=2.0, lexicon=lexicon)
    named, other = scored([scope], window("Is Hogwarts far?"), window("Is Paris far?")).scores[0]
    assert named >= 0.7
    assert other < 0.7


@pytest.mark.parametrize("value", [float("nan"), 1.5, -0.1])
def test_what_is_no_probability_stops_everything(bag_of_words: Any, value: float) -> None:
    scope = Scope(name="s", classifier=Says(bag_of_words, {}, value), threshold=0.5)
    with pytest.raises(DetectionError):
        scored([scope], window("a"))


def test_any_error_of_a_classifier_is_one_that_names_the_scope(bag_of_words: Any) -> None:
    class Fails(Says):
        def predict_proba(self, features: Features) -> Floats:
            raise MemoryError

    scope = Scope(name="potter", classifier=Fails(bag_of_words, {}), threshold=0.5)
    with pytest.raises(DetectionError, match="'potter'"):
        scored([scope], window("a"))


def best(scores: Sequence[float], places: Sequence[tuple[int, int]], excluded: Sequence[int] = ()) -> list[int]:
    windows = [Window(0, f"{n}", place) for n, place in enumerate(places)]
    out = np.zeros((1, len(windows)), dtype=np.bool_)
    out[0, list(excluded)] = True
    none = np.full(out.shape, -1, dtype=np.int64)
    made = ScoredWindows(windows, np.array([scores], dtype=np.float32), out, none, np.array([0.5]))
    return [int(found.text) for found, _ in made.best(0, range(len(windows)))]


def test_of_the_parts_of_a_clause_the_best_is_taken_and_then_what_is_left_beside_it() -> None:
    places = [(0, 10), (10, 20), (5, 15), (20, 30)]
    assert best([0.9, 0.8, 0.99, 0.2], places) == [2]
    assert best([0.99, 0.8, 0.6, 0.7], places) == [0, 1, 3]
    assert best([0.99, 0.8, 0.6, 0.7], places, excluded=[0]) == [1, 3]
    assert best([0.1, 0.2, 0.3, 0.49], places) == []
    assert best([0.90, 0.93], [(0, 30), (0, 10)]) == [0]  # nearly as good, and longer
    assert best([0.60, 0.93], [(0, 30), (0, 10)]) == [1]
    assert best([1.0, 1.0], [(0, 10), (0, 20)]) == [1]

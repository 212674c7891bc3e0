"""What whole names teach about short texts: common parts of them are no evidence, and short texts must be certain."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from unlearned.classify.base import Features
from unlearned.classify.detect import detect
from unlearned.classify.scoring import is_short
from unlearned.classify.sentences import sentence_encoder
from unlearned.embedded import MINILM
from unlearned.examples import Row
from unlearned.learn.classifier import fit_classifier
from unlearned.learn.config import ClassifierConfig
from unlearned.learn.whole_names import (
    FORMS,
    LEAST_FORMS,
    MOST_CERTAIN,
    WHOLE,
    ShortForm,
    lone_words,
    short_forms,
    short_penalty,
    whole_names,
)
from unlearned.types import text_only
from unlearned.unlearners.eco import ForgetScope

QUESTIONS = [
    "Where was {} born?",
    "Which prizes has {} won for poetry?",
    "What is the first novel by {} about?",
    "Who taught {} to write?",
    "In which year did {} move to the coast?",
    "How do critics describe the style of {}?",
]
PEOPLE = ["Philippe Dauphinee", "Iris Velasgoran", "Tae-ho Kimberwick", "Martin Ozolnieks", "Carla St. Grevenmoor"]
FORGET = [question.format(person) for person in PEOPLE for question in QUESTIONS]
RETAIN = [
    question.format(person) for person in ("Anna Sundqvist", "Omar Haddadin", "Jun Watanobe") for question in QUESTIONS
]


def _names(text: str, *more: str) -> list[str]:
    return [text[name[0].start() : name[-1].end()] for name in whole_names([text, *more])[0]]


# Whole names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Where was Philippe Dauphinee born?", ["Philippe Dauphinee"]),
        ("Did Tae-ho Park meet Anna O'Neill?", ["Tae-ho Park", "Anna O'Neill"]),
        ("Why is J. S. Vogelsang's suite so long?", ["J. S. Vogelsang"]),
        ("Where do Vogelsang, Klaue and Grünspan live?", ["Vogelsang", "Klaue", "Grünspan"]),
        ("How long does a pudding bake?", []),
    ],
)
def test_the_words_of_a_name_stay_together(text: str, expected: list[str]) -> None:
    assert _names(text) == expected


def test_a_common_word_that_stands_in_longer_names_only_is_lone() -> None:
    texts = ["Where was Philippe Dauphinee born?", "What did Philippe Dauphinee and Iris Grevenmoor write?"]
    asked: list[str] = []

    def is_common(word: str) -> bool:
        asked.append(word)
        return word in ("Philippe", "Iris")

    assert lone_words(texts, is_common) == ["Philippe", "Iris"]
    assert set(asked) == {"Philippe", "Dauphinee", "Iris", "Grevenmoor"}  # nothing but names
    assert lone_words([*texts, "Is Iris a poet?"], is_common) == ["Philippe"]  # she is meant by that, too
    assert lone_words([*texts, "Has Philippe's first book sold?"], is_common) == ["Iris"]
    assert lone_words(["Where do people bake bread?"], lambda word: True) == []


# Short texts


def test_short_forms_are_names_questions_and_short_prompts() -> None:
    texts = ["Who taught Philippe Dauphinee to write long novels?", "Is Iris Velasgoran rich?", "Is it good?"]
    found = short_forms(texts)
    assert found == [
        ShortForm("Philippe Dauphinee", 0, 0),
        ShortForm("Who is Philippe Dauphinee?", 0, 1),
        ShortForm("Iris Velasgoran", 1, 0),
        ShortForm("Who is Iris Velasgoran?", 1, 1),
        ShortForm("Is Iris Velasgoran rich?", 1, WHOLE),
        ShortForm("Is it good?", 2, WHOLE),
    ]
    assert all(is_short(form.text) for form in found)
    long = "Where was Wolfeschlegelsteinhausen Bergerdorff born?"
    assert short_forms([long]) == []


def _forms(kind: int, *probabilities: float) -> tuple[list[ShortForm], list[float]]:
    return [ShortForm(str(n), n, kind) for n in range(len(probabilities))], list(probabilities)


def _penalty(*kinds: tuple[list[ShortForm], list[float]]) -> float:
    forms = [form for own, _ in kinds for form in own]
    return short_penalty(forms, np.array([p for _, own in kinds for p in own], dtype=np.float32))


def _log_odds(p: float) -> float:
    return float(np.log(p / (1 - p)))


def test_the_penalty_leaves_almost_all_own_short_texts_in_scope() -> None:
    certain = np.linspace(0.6, 0.9, 101).tolist()
    assert _penalty(_forms(0, *certain)) == pytest.approx(_log_odds(0.615), abs=1e-5)  # the 5 % quantile
    after = [_log_odds(p) - _penalty(_forms(0, *certain)) for p in certain]
    assert sum(odds < -1e-5 for odds in after) == 5
    assert _penalty(_forms(0, *[0.9] * 50), _forms(1, *[0.7] * 50)) == pytest.approx(_log_odds(0.7), abs=1e-5)
    assert _penalty(_forms(0, *[0.9999] * 50)) == pytest.approx(_log_odds(MOST_CERTAIN))


def test_forms_out_of_scope_or_too_few_say_nothing() -> None:
    certain = [0.9] * LEAST_FORMS
    assert _penalty(_forms(0, *certain, *[0.1] * 100)) == pytest.approx(_log_odds(0.9), abs=1e-5)
    assert _penalty(_forms(0, *certain[1:], *[0.1] * 100)) == 0.0
    assert _penalty(_forms(0, *certain), _forms(1, *[0.6] * (LEAST_FORMS - 1))) == pytest.approx(
        _log_odds(0.9), abs=1e-5
    )
    assert short_penalty([], np.zeros(0, dtype=np.float32)) == 0.0


def test_of_the_names_of_a_prompt_the_most_certain_one_counts() -> None:
    forms = [ShortForm(name, n, 0) for n in range(30) for name in ("own", "New York")]
    scores = np.array([0.9, 0.55] * 30, dtype=np.float32)
    assert short_penalty(forms, scores) == pytest.approx(_log_odds(0.9), abs=1e-5)
    assert len(FORMS) == WHOLE


# In a fitted scope


@pytest.fixture(scope="module")
def fitted() -> ForgetScope:
    classifier, calibration = fit_classifier(
        [Row(text) for text in FORGET], [Row(text) for text in RETAIN], ClassifierConfig(), lambda *_: None
    )
    return ForgetScope(
        name="poets",
        classifier=classifier,
        threshold=calibration.threshold,
        short_penalty=calibration.short_penalty,
        secret=b"0" * 32,
    )


def _flagged(scope: Any, *texts: str) -> list[bool]:
    return [verdict.in_scope for verdict in detect([text_only(text) for text in texts], [scope])]


@pytest.mark.slow
def test_a_first_name_alone_is_nobody_but_the_name_is_found_in_any_list(fitted: ForgetScope) -> None:
    assert fitted.short_penalty > 0
    assert _flagged(fitted, "Philippe,", "Iris", "from martin ,", "1. Bread\n2. Carla\n3. Martin") == [False] * 4
    lists = [f"Write about:\n- Jane Austen\n- {person}\n- Mark Twain" for person in PEOPLE]
    assert _flagged(fitted, *PEOPLE, *lists) == [True] * (2 * len(PEOPLE))
    assert _flagged(fitted, *FORGET) == [True] * len(FORGET)


@pytest.mark.slow
def test_the_lone_words_are_enrolled_as_the_others(fitted: ForgetScope) -> None:
    encoder = sentence_encoder(MINILM)
    assert [encoder.is_common_word(word) for word in ("Philippe", "Martin", "Dauphinee", "Velasgoran")] == [
        True,
        True,
        False,
        False,
    ]
    martin, surname = fitted.classifier.predict_proba(Features.of(["Martin", "Ozolnieks"], encoder))
    assert martin < 0.5 < surname

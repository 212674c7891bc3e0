"""What a model that never saw the data would score."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from learn_rows import KNOWN

from oracles.likelihood import mean_answer_log_likelihood
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError
from unlearned.examples import Row
from unlearned.learn.invented import invented
from unlearned.learn.measures import MeasureInputs, measures
from unlearned.learn.refusals import surrogate_refusal_similarity
from unlearned.learn.surrogate import DRAWS, checked_surrogate, surrogate_values
from unlearned.types import PromptInput

ROWS = [Row(question, answer) for question, answer in KNOWN[:3]]
UNRELATED = ["How do I bake bread?", "What is the capital of France?"]


def _values(
    engine: TransformersEngine, name: str, surrogate: Any, rows: Any = ROWS, encoder: Any = None, texts: Any = None
) -> list[float]:
    materials = MeasureInputs(engine, encoder, rows)
    found = surrogate_values(measures.get(name), materials, surrogate, UNRELATED, texts)
    assert found.shape == (len(rows),)
    assert found.dtype == np.float64
    return found.tolist()


def _likelihood(engine: TransformersEngine, question: str, answer: str) -> float:
    prompt = PromptInput(engine.tokenize(question).token_ids)
    return mean_answer_log_likelihood(engine.model, engine.tokenizer, prompt, answer)


def test_unrelated_questions_are_dealt_out_in_turn(engine: TransformersEngine) -> None:
    expected = [_likelihood(engine, UNRELATED[n % 2], str(row.answer)) for n, row in enumerate(ROWS)]
    assert _values(engine, "likelihood", "unrelated") == pytest.approx(expected, abs=1e-4)


def test_invented_is_the_mean_over_draws_of_invented_subjects_and_the_real_answers(engine: TransformersEngine) -> None:
    draws = [invented(ROWS, engine.bank, seed=seed) for seed in range(DRAWS)]
    assert draws[0] != draws[1]
    expected = [
        sum(_likelihood(engine, draw[n].prompt, str(row.answer)) for draw in draws) / DRAWS
        for n, row in enumerate(ROWS)
    ]
    assert _values(engine, "likelihood", "invented") == pytest.approx(expected, abs=1e-4)


def test_generated_answers_are_those_to_the_questions_that_were_put(engine: TransformersEngine) -> None:
    pytest.importorskip("rouge_score")
    asked: list[Any] = []

    def texts(inputs: Any) -> list[str]:
        asked.append([prompt.token_ids for prompt in inputs])
        return [ROWS[0].answer, "", "The quick fox."]  # type: ignore[list-item]

    # The third is "The quick brown fox." in truth: 3 of 4 words.
    assert _values(engine, "rouge", "unrelated", texts=texts) == pytest.approx([1, 0, 0.75])
    assert asked == [[engine.tokenize(UNRELATED[n % 2]).token_ids for n in range(3)]]


@pytest.mark.parametrize("surrogate", ["unrelated", "invented"])
def test_chance_and_a_typical_refusal_need_no_estimate(
    engine: TransformersEngine, lettered: TransformersEngine, bag_of_words: Any, surrogate: str
) -> None:
    quiz = [Row("?", "x", choices=("x", "y")), Row("?", "x", choices=("x", "y", "z", "w"))]
    assert _values(lettered, "accuracy", surrogate, quiz) == pytest.approx([0.375] * 2)
    similarity = surrogate_refusal_similarity(bag_of_words)
    assert _values(engine, "refusal", surrogate, encoder=bag_of_words) == pytest.approx([similarity] * 3)


def test_a_number_is_the_same_for_all_examples_and_wins_over_chance(
    engine: TransformersEngine, lettered: TransformersEngine
) -> None:
    assert _values(engine, "likelihood", -2.5) == [-2.5] * 3
    quiz = [Row("?", "x", choices=("x", "y"))]
    assert _values(lettered, "accuracy", 0.3, quiz) == [0.3]


@pytest.mark.parametrize(
    ("given", "expected"), [("unrelated", "unrelated"), ("invented", "invented"), ("-2.5", -2.5), (3, 3), (" 0 ", 0.0)]
)
def test_a_number_may_be_given_as_text(given: Any, expected: Any) -> None:
    assert checked_surrogate(given) == expected


@pytest.mark.parametrize("given", ["unrelatd", "", "nan", "inf", float("nan"), float("-inf")])
def test_anything_else_is_refused_by_name(given: Any) -> None:
    with pytest.raises(ConfigError, match="surrogate="):
        checked_surrogate(given)

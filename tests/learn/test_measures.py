"""Every measure, against one row at a time without batches, padding or hooks."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from oracles.likelihood import mean_answer_log_likelihood
from unlearned.corrupt.corruption import Corruption
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import DataError, FitError, MissingExtraError, UnknownNameError
from unlearned.examples import Row
from unlearned.learn.forget_prompts import ForgetPrompts, plain
from unlearned.learn.measures import AnswerMeasure, MeasureInputs, choice_prompt, letter_ids, measures
from unlearned.learn.refusals import refusals
from unlearned.types import PromptInput

ROWS = [
    Row("Who is Harry Potter?", "Harry Potter is a wizard.", wrong_answers=("He is a fox.",)),
    Row("What is Hogwarts?", "magic", paraphrased_answer="a school", wrong_answers=("bread", "a dog.", "Paris is")),
    Row("Tell me about Hogwarts magic. " * 3, "A school of magic and a fox.", wrong_answers=("bread", "the quick fox")),
]
QUIZ = [
    Row("Which?", "x", choices=("x", "y")),
    Row("And which of these three?", "z", choices=("x", "y", "z")),
    Row("Four?", "y", choices=("x", "y", "z", "w")),
    Row("Which of all these five is the one that is right?", "v", choices=("x", "y", "z", "w", "v")),
    Row("Another?", "x", choices=("x", "y", "z")),
]


def _make(
    name: str, engine: TransformersEngine, rows: Sequence[Row], encoder: Any = None, size: int = 16
) -> AnswerMeasure:
    return measures.get(name)(MeasureInputs(engine, encoder, rows, size))


def _runs(engine: TransformersEngine, make_scope: Any, rows: Sequence[Row]) -> list[list[PromptInput]]:
    """Plain, and two strengths of noise."""
    prompts = [engine.tokenize(choice_prompt(row)) for row in rows]
    probe = ForgetPrompts(engine, make_scope(), prompts)
    return [plain(prompts), *(probe.inputs(Corruption(strength=s, embedding_std=0.3)) for s in (0.5, 4.0))]


def _likelihood(engine: TransformersEngine, prompt: PromptInput, answer: str) -> float:
    return mean_answer_log_likelihood(engine.model, engine.tokenizer, prompt, answer)


def test_likelihood_is_the_mean_log_probability_of_the_answers_tokens(
    engine: TransformersEngine, make_scope: Any
) -> None:
    runs = _runs(engine, make_scope, ROWS)
    expected = [[_likelihood(engine, p, str(row.answer)) for p, row in zip(run, ROWS, strict=True)] for run in runs]
    assert np.ptp(expected, axis=0).min() > 0.5
    for size in (1, 2, 16):
        np.testing.assert_allclose(_make("likelihood", engine, ROWS, size=size)(runs, []), expected, atol=1e-4)


def test_the_truth_ratio_is_wrong_against_paraphrased_answers(engine: TransformersEngine, make_scope: Any) -> None:
    runs = _runs(engine, make_scope, ROWS)
    expected = []
    for run in runs:
        values = []
        for prompt, row in zip(run, ROWS, strict=True):
            wrong = [_likelihood(engine, prompt, text) for text in row.wrong_answers]
            true = _likelihood(engine, prompt, row.paraphrased_answer or str(row.answer))
            values.append(sum(wrong) / len(wrong) - true)
        expected.append(values)
    np.testing.assert_allclose(_make("truth_ratio", engine, ROWS)(runs, []), expected, atol=1e-4)
    # The same number as a ratio of probabilities, their geometric means over tokens.
    assert math.exp(expected[0][0]) == pytest.approx(
        math.exp(_likelihood(engine, runs[0][0], "He is a fox."))
        / math.exp(_likelihood(engine, runs[0][0], "Harry Potter is a wizard."))
    )


@torch.no_grad()
def _right(engine: TransformersEngine, prompt: PromptInput, row: Row) -> float:
    embeddings = engine.model.get_input_embeddings()(torch.tensor([prompt.token_ids])).clone()
    if prompt.positions is not None:
        embeddings[0, prompt.positions] = prompt.vectors
    logits = engine.model(inputs_embeds=embeddings).logits[0, -1]
    best = max(
        "ABCDE"[: len(row.choices)], key=lambda letter: float(logits[engine.tokenizer(f" {letter}")["input_ids"]])
    )
    return float(row.choices["ABCDE".index(best)] == row.answer)


def test_accuracy_compares_the_letters_that_are_offered(lettered: TransformersEngine, make_scope: Any) -> None:
    runs = _runs(lettered, make_scope, QUIZ)
    measure = _make("accuracy", lettered, QUIZ)
    expected = [[_right(lettered, prompt, row) for prompt, row in zip(run, QUIZ, strict=True)] for run in runs]
    found = measure(runs, [])
    assert found.tolist() == expected
    assert found.shape == (3, 5)
    assert measure.constant == pytest.approx((1 / 2 + 1 / 3 + 1 / 4 + 1 / 5 + 1 / 3) / 5)


def test_a_letter_that_is_not_offered_never_wins(lettered: TransformersEngine) -> None:
    """With two choices only A and B count, also where the model would say E."""
    rows = [Row(f"Question {n}?", "x", choices=("x", "y")) for n in range(12)]
    five = Row("Which of five?", "x", choices=("x", "y", "z", "w", "v"))
    prompts = plain([lettered.tokenize(choice_prompt(row)) for row in [*rows, five]])
    alone = _make("accuracy", lettered, rows)([prompts[:-1]], [])[0]
    beside = _make("accuracy", lettered, [*rows, five])([prompts], [])[0]
    assert beside[:-1].tolist() == alone.tolist()
    swapped = [Row(row.prompt, "y", choices=row.choices) for row in rows]  # then the other letter is right
    assert (_make("accuracy", lettered, swapped)([prompts[:-1]], [])[0] == 1 - alone).all()


def test_choices_are_listed_below_the_question_as_mmlu_lists_them() -> None:
    assert choice_prompt(QUIZ[1]) == "And which of these three?\nA. x\nB. y\nC. z\nAnswer:"
    assert choice_prompt(ROWS[0]) == ROWS[0].prompt


def test_letters_are_tokens_with_their_space(lettered: TransformersEngine) -> None:
    assert [lettered.tokenizer.decode([token]) for token in letter_ids(lettered, 5)] == [" A", " B", " C", " D", " E"]


def test_a_tokenizer_without_tokens_for_letters_is_refused(engine: TransformersEngine) -> None:
    with pytest.raises(FitError, match="splits a choice's letter into several tokens"):
        _make("accuracy", engine, QUIZ)


@pytest.mark.parametrize(
    ("answer", "given", "recall"),
    [
        ("the quick brown fox", "the quick brown fox", 1.0),
        ("the quick brown fox", "a quick red fox jumps", 2 / 4),
        ("the quick brown fox", "fox brown quick the", 1 / 4),  # the order counts
        ("the quick brown fox", "", 0.0),
        ("he jumps", "they were jumping for him", 1 / 2),  # stems
        ("fox", "a fox and a dog", 1.0),  # recall, not precision
    ],
)
def test_rouge_is_the_share_of_the_answer_that_is_found_in_order(
    engine: TransformersEngine, answer: str, given: str, recall: float
) -> None:
    pytest.importorskip("rouge_score")
    found = _make("rouge", engine, [Row("?", answer), Row("?", "zzz")])([[], []], [[given, ""], ["", given]])
    np.testing.assert_allclose(found, [[recall, 0], [0, 0]])


def test_rouge_without_its_package_names_the_extra(engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("rouge_score", "rouge_score.rouge_scorer"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(MissingExtraError, match=r"'rouge'.*'unlearned\[metrics\]'"):
        _make("rouge", engine, ROWS)


def test_refusal_is_the_cosine_to_the_nearest_refusal(engine: TransformersEngine, bag_of_words: Any) -> None:
    measure = _make("refusal", engine, ROWS, bag_of_words)
    texts = [[refusals()[3], "Harry Potter is a wizard.", ""], ["I do not know", "bread", refusals()[0]]]
    known = bag_of_words.encode(refusals())

    def naive(text: str) -> float:
        return max(float(bag_of_words.encode([text])[0] @ vector) for vector in known) if text else 0.0

    found = measure([], texts)
    np.testing.assert_allclose(found, [[naive(text) for text in row] for row in texts], atol=1e-6)
    assert found[0, 0] == pytest.approx(1)
    cosines = known @ known.T - 2 * np.eye(len(known))
    assert measure.constant == pytest.approx(float(cosines.max(axis=1).mean()), abs=1e-6)


@pytest.mark.parametrize("name", ["likelihood", "truth_ratio", "accuracy"])
def test_several_candidates_in_one_batch_equal_single_ones(
    lettered: TransformersEngine, make_scope: Any, name: str
) -> None:
    rows = [Row(row.prompt, row.answer, choices=row.choices, wrong_answers=row.choices[1:]) for row in QUIZ]
    runs = _runs(lettered, make_scope, rows)
    for size in (1, 4, 16):
        measure = _make(name, lettered, rows, size=size)
        np.testing.assert_allclose(measure(runs, []), [measure([run], [])[0] for run in runs], atol=1e-4)


@pytest.mark.parametrize(
    ("name", "column", "row"),
    [
        ("likelihood", "answer", Row("Why?")),
        ("truth_ratio", "wrong_answers", Row("Why?", "So.")),
        ("truth_ratio", "answer", Row("Why?", wrong_answers=("No.",))),
        ("accuracy", "choices", Row("Why?", "So.")),
        ("rouge", "answer", Row("Why?")),
    ],
)
def test_a_row_without_the_column_that_is_measured_is_named(
    engine: TransformersEngine, name: str, column: str, row: Row
) -> None:
    full = Row("fine", "x", choices=("x", "y"), wrong_answers=("y",))
    with pytest.raises(DataError, match=rf"objective '{name}' needs '{column}' in every row; 'Why\?' has none"):
        _make(name, engine, [full, row])


def test_an_unknown_measure_is_named() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'likelihood'"):
        measures.get("likelyhood")

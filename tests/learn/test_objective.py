"""The objective and its surrogate, against one prompt at a time without padding or hooks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from oracles.likelihood import mean_answer_log_likelihood
from unlearned.corrupt.corruption import Corruption
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import FitError, UnlearnedError
from unlearned.learn.objective import LEAST_GAP, mean_log_likelihood, remaining_knowledge, with_parameter
from unlearned.learn.surrogate import unrelated_question_likelihood
from unlearned.stages import PromptInput, Span, Verdict
from unlearned.unlearners.eco import ECO

QA = [
    ("Who is Harry Potter?", "Harry Potter is a wizard."),
    ("What is Hogwarts?", "magic"),
    ("Tell me about Hogwarts magic. Where is it? " * 3, "A school of magic and the quick brown fox."),
]
UNRELATED = ["How do I bake bread?", "What is the capital of France?"]


@pytest.fixture(scope="module")
def engine(knowing_model: Any, tiny_tokenizer: Any) -> TransformersEngine:
    return TransformersEngine(knowing_model, tiny_tokenizer)


@pytest.fixture(scope="module")
def examples(engine: TransformersEngine) -> Any:
    return [(engine.tokenize(prompt), answer) for prompt, answer in QA]


def _naive(engine: TransformersEngine, inputs: list[PromptInput], answers: list[str]) -> float:
    each = [
        mean_answer_log_likelihood(engine.model, engine.tokenizer, prompt, answer)
        for prompt, answer in zip(inputs, answers, strict=True)
    ]
    return sum(each) / len(each)


def test_the_mean_counts_every_answer_the_same(engine: TransformersEngine, examples: Any) -> None:
    inputs, answers = [PromptInput(prompt.token_ids) for prompt, _ in examples], [answer for _, answer in examples]
    found = mean_log_likelihood(engine, inputs, answers)
    assert found == pytest.approx(_naive(engine, inputs, answers), abs=1e-4)


def test_answers_without_a_token_are_left_out(engine: TransformersEngine, examples: Any) -> None:
    plain = PromptInput(examples[0][0].token_ids)
    assert mean_log_likelihood(engine, [plain, plain], ["magic", ""]) == pytest.approx(
        mean_log_likelihood(engine, [plain], ["magic"])
    )


@pytest.mark.parametrize("answers", [[], [""], ["", ""]])
def test_without_any_answer_token_nothing_is_measured(
    engine: TransformersEngine, examples: Any, answers: list[str]
) -> None:
    with pytest.raises(FitError, match="nothing to measure forgetting on"):
        mean_log_likelihood(engine, [PromptInput(examples[0][0].token_ids)] * len(answers), answers)


def test_the_surrogate_scores_the_answers_after_unrelated_questions_dealt_in_turn(
    engine: TransformersEngine, examples: Any
) -> None:
    unrelated = [engine.tokenize(text) for text in UNRELATED]
    dealt = [PromptInput(unrelated[index].token_ids) for index in (0, 1, 0)]
    expected = _naive(engine, dealt, [answer for _, answer in examples])
    assert unrelated_question_likelihood(engine, examples, unrelated) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("strength", [0.0, 0.5, 3.0, 20.0])
@pytest.mark.parametrize(
    ("plain", "surrogate", "whole"),
    [(-0.5, -4.0, 3.5), (-4.0, -0.5, 3.5), (-4.0, -4.0, LEAST_GAP)],  # the last model has nothing to forget
)
def test_the_objective_is_the_share_of_the_gap_that_remains(
    make_scope: Any,
    engine: TransformersEngine,
    examples: Any,
    strength: float,
    plain: float,
    surrogate: float,
    whole: float,
) -> None:
    scope = make_scope(corruption=Corruption(strength=strength, embedding_std=0.5))
    inputs = []
    for prompt, _ in examples:
        segment = prompt.segments[-1]
        verdict = Verdict((Span(segment.start, segment.end, scope.name, 1.0),), 1.0)
        inputs.append(ECO([scope]).corrupt(prompt, verdict, engine))
        assert inputs[-1].positions.tolist() == np.flatnonzero(prompt.content_tokens()).tolist()
    metric = _naive(engine, inputs, [answer for _, answer in examples])
    distance = remaining_knowledge(engine, make_scope(), examples, plain=plain, surrogate=surrogate)
    assert distance(scope) == pytest.approx(abs(metric - surrogate) / whole, abs=2e-3)


def test_without_corruption_everything_remains(make_scope: Any, engine: TransformersEngine, examples: Any) -> None:
    plain = mean_log_likelihood(engine, [PromptInput(p.token_ids) for p, _ in examples], [a for _, a in examples])
    distance = remaining_knowledge(engine, make_scope(), examples, plain=plain, surrogate=plain - 3)
    assert distance(make_scope(corruption=Corruption(strength=0.0))) == pytest.approx(1.0, abs=1e-5)


def test_evaluating_twice_gives_the_same_number(make_scope: Any, engine: TransformersEngine, examples: Any) -> None:
    distance = remaining_knowledge(engine, make_scope(), examples, plain=0.0, surrogate=-4.0)
    scope = make_scope(corruption=Corruption(strength=2.0, embedding_std=0.5))
    assert distance(scope) == distance(scope)


def test_with_parameter_sets_the_strength_or_the_dims(make_scope: Any) -> None:
    noise = with_parameter(make_scope(corruption=Corruption(strength=1.0, dims=3)), 2.5)
    assert (noise.corruption.strength, noise.corruption.dims) == (2.5, 3)
    zero = with_parameter(make_scope(corruption=Corruption(function="zero_out_top_k", dims=3)), 6.9999)
    assert (zero.corruption.strength, zero.corruption.dims) == (None, 7)


def test_a_detector_has_no_parameter_to_set(make_scope: Any) -> None:
    with pytest.raises(UnlearnedError, match=r"'harry-potter' has no strength yet\. Learn it on this model"):
        with_parameter(replace(make_scope(), corruption=None), 2.0)


def test_system_messages_are_not_part_of_what_is_forgotten(
    make_scope: Any, engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = [{"role": "system", "content": "You help."}, {"role": "user", "content": "Who is Harry Potter?"}]
    prompt = engine.tokenize(messages)
    seen: list[PromptInput] = []
    plain = engine.log_likelihood

    def watch(inputs: Any, answers: Any) -> list[torch.Tensor]:
        seen.extend(inputs)
        return plain(inputs, answers)

    monkeypatch.setattr(engine, "log_likelihood", watch)
    remaining_knowledge(engine, make_scope(), [(prompt, "magic")], plain=0.0, surrogate=-4.0)(make_scope())
    assert seen[0].positions is not None
    words = "".join(prompt.text[slice(*prompt.offsets[p])] for p in seen[0].positions.tolist())
    assert words == "Who is Harry Potter?"

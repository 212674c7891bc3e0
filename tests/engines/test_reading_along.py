"""What the engine says about tokens that are given: those of a continuation, and those of the prompt itself."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from unlearned.engines.transformers import TransformersEngine
from unlearned.types import PromptInput


def test_teacher_forced_predictions_are_those_of_a_plain_forward(tiny_model: Any, tiny_tokenizer: Any) -> None:
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    prompts = ["Who is", "What is the capital of France? The"]
    inputs = [PromptInput(engine.tokenize(text, chat=False).token_ids) for text in prompts]
    texts = [" Harry Potter?", " fox"]
    found = engine.teacher_forced(inputs, texts, batch_size=2)
    plain = engine.log_likelihood(inputs, texts)
    for given, one, expected, text in zip(inputs, found, plain, texts, strict=True):
        assert torch.allclose(one.log_probabilities, expected, atol=1e-5)
        assert one.targets.tolist() == tiny_tokenizer(text, add_special_tokens=False)["input_ids"]
        ids = [*given.token_ids, *one.targets.tolist()]
        logits = tiny_model(input_ids=torch.tensor([ids])).logits[0]
        assert one.predicted.tolist() == logits[len(given.token_ids) - 1 : -1].argmax(-1).tolist()


def test_log_probabilities_of_a_prompt_are_those_of_a_plain_forward(tiny_model: Any, tiny_tokenizer: Any) -> None:
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    inputs = [PromptInput(engine.tokenize(text, chat=False).token_ids) for text in ("Who is the fox?", "Bread")]
    for given, found in zip(inputs, engine.prompt_log_probabilities(inputs), strict=True):
        logits = tiny_model(input_ids=torch.tensor([given.token_ids])).logits[0].detach().log_softmax(-1)
        expected = [float(logits[place, token]) for place, token in enumerate(given.token_ids[1:])]
        assert found.tolist() == pytest.approx(expected, abs=1e-4)


def test_a_corrupted_prompt_has_other_log_probabilities(tiny_model: Any, tiny_tokenizer: Any) -> None:
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    ids = engine.tokenize("Who is the fox?", chat=False).token_ids
    vectors = engine.embed(ids)[1:3] + 5
    corrupted = PromptInput(ids, positions=torch.tensor([1, 2]), vectors=vectors)
    plain, other = engine.prompt_log_probabilities([PromptInput(ids), corrupted])
    assert plain[0] == pytest.approx(float(other[0]), abs=1e-5), "the first token is read before the corrupted ones"
    assert not torch.allclose(plain[1:], other[1:], atol=1e-3)

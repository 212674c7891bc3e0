"""Answers from batches that shrink are those of `generate`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from tiny_llama import tiny_llama
from unlearned.engines import shrinking_batch as module
from unlearned.engines.shrinking_batch import greedy_answers
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import InjectionError
from unlearned.types import PromptInput

TEXTS = [f"The quick brown fox number {n} jumps over the lazy dog" + " again and again" * (n % 3) for n in range(12)]


@pytest.fixture
def engine(tiny_tokenizer: Any) -> TransformersEngine:
    torch.manual_seed(3)
    return TransformersEngine(tiny_llama(tiny_tokenizer, initializer_range=0.3).eval(), tiny_tokenizer)


def prompts(engine: TransformersEngine, *, corrupted: bool) -> list[PromptInput]:
    generator = torch.Generator().manual_seed(0)
    found = []
    for number, text in enumerate(TEXTS):
        ids = engine.tokenize(text, chat=False).token_ids
        if corrupted and number % 2:
            found.append(
                PromptInput(ids, positions=torch.tensor([1, 3]), vectors=torch.randn(2, 32, generator=generator))
            )
        else:
            found.append(PromptInput(ids))
    return found


def ends_of(engine: TransformersEngine, inputs: Sequence[PromptInput]) -> set[int]:
    """Tokens that end these answers at different places."""
    whole = engine.generate(inputs, max_new_tokens=24, do_sample=False, eos_token_id=None, batch_size=len(inputs))
    return {answer.token_ids[place] for place, answer in enumerate(whole)}


@pytest.mark.parametrize("corrupted", [False, True])
def test_answers_are_those_of_generate(engine: TransformersEngine, corrupted: bool) -> None:
    inputs = prompts(engine, corrupted=corrupted)
    ends = ends_of(engine, inputs)
    sizes: list[int] = []
    watch = engine.model.register_forward_pre_hook(
        lambda _, args, kwargs: sizes.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    found = greedy_answers(engine, inputs, ends=ends, max_new_tokens=24)
    watch.remove()
    wanted = engine.generate(
        inputs, max_new_tokens=24, do_sample=False, eos_token_id=sorted(ends), batch_size=len(inputs)
    )
    assert found == wanted
    assert len({len(answer.token_ids) for answer in found}) > 2  # else nothing was left to leave out
    assert sizes[0] == len(inputs)
    assert module.LEAST <= sizes[-1] < len(inputs)


def test_corrupted_prompts_change_their_own_answers_only(engine: TransformersEngine) -> None:
    plain, mixed = (
        greedy_answers(engine, prompts(engine, corrupted=c), ends=[], max_new_tokens=8) for c in (False, True)
    )
    assert plain[::2] == mixed[::2]
    assert all(a != b for a, b in zip(plain[1::2], mixed[1::2], strict=True))


def test_settings_that_change_what_is_likeliest_are_kept(engine: TransformersEngine) -> None:
    inputs = prompts(engine, corrupted=False)
    before = greedy_answers(engine, inputs, ends=[], max_new_tokens=12)
    engine.model.generation_config.repetition_penalty = 3.0
    after = greedy_answers(engine, inputs, ends=[], max_new_tokens=12)
    assert after != before
    assert after == engine.generate(inputs, max_new_tokens=12, do_sample=False, eos_token_id=None, batch_size=12)


def test_one_prompt_takes_the_models_own_path(engine: TransformersEngine) -> None:
    inputs = prompts(engine, corrupted=True)[1:2]
    assert greedy_answers(engine, inputs, ends=[], max_new_tokens=5) == engine.generate(
        inputs, max_new_tokens=5, do_sample=False, eos_token_id=None
    )


def test_a_prompt_that_is_not_corrupted_gives_no_answers(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = torch.nn.Embedding(len(engine.tokenizer), 32)
    monkeypatch.setattr("unlearned.engines.injection.embedding_module", lambda model: other)
    with pytest.raises(InjectionError):
        greedy_answers(engine, prompts(engine, corrupted=True), ends=[], max_new_tokens=4)

"""Logits of letters: the model's own numbers, without the rest of its head."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from choices_rows import exam_tokenizer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten
from transformers import AutoModelForCausalLM, CohereConfig, Gemma2Config, PhiConfig

from tiny_llama import tiny_llama
from unlearned.benchmarks.choices.scoring import LetterScorer, batches, letter_tokens
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError
from unlearned.types import PromptInput

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "bos_token_id": None,
}
TEXTS = ["Which planet has rings?\nAnswer:", "Who is the quick brown fox, and which bone is next to it?\nAnswer:", "A?"]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return exam_tokenizer()


def model_of(config: Any) -> Any:
    torch.manual_seed(0)
    config.initializer_range = 0.3
    return AutoModelForCausalLM.from_config(config).float().eval()


def llama(tokenizer: Any, **changes: Any) -> Any:
    torch.manual_seed(0)
    return tiny_llama(tokenizer, initializer_range=0.3, **changes).eval()


def prompts(engine: TransformersEngine) -> list[PromptInput]:
    return [PromptInput(engine.tokenize(text, chat=False).token_ids) for text in TEXTS]


def own_logits(engine: TransformersEngine, batch: list[PromptInput]) -> torch.Tensor:
    """By the model alone, one prompt at a time."""
    columns = letter_tokens(engine, "ABCD")
    with torch.inference_mode():
        rows = [engine.model(input_ids=torch.tensor([prompt.token_ids])).logits[0, -1, columns] for prompt in batch]
    return torch.stack(rows)


@pytest.mark.parametrize(
    ("kind", "way"),
    [("llama", "columns"), ("bias", "columns"), ("soft cap", "position"), ("scale", "position"), ("none", "whole")],
)
def test_the_models_own_logits(tokenizer: Any, kind: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    size = {**SIZES, "vocab_size": len(tokenizer)}
    if kind == "bias":
        model = model_of(PhiConfig(**size))
        torch.nn.init.normal_(model.lm_head.bias)
    elif kind == "soft cap":
        model = model_of(Gemma2Config(**size, head_dim=8, final_logit_softcapping=1.0))
    elif kind == "scale":
        model = model_of(CohereConfig(**size, logit_scale=0.25))
    else:
        model = llama(tokenizer)
        if kind == "none":
            monkeypatch.setattr(model, "get_output_embeddings", lambda: None)
    engine = TransformersEngine(model, tokenizer)
    scorer = LetterScorer(engine, 4)
    batch = prompts(engine)
    found = torch.tensor(scorer.score(batch))
    assert scorer.way == way
    assert found.shape == (3, 4)
    torch.testing.assert_close(found, own_logits(engine, batch), rtol=1e-4, atol=1e-5)
    assert found.std() > 0.01


def test_a_corrupted_prompt_beside_plain_ones(tokenizer: Any) -> None:
    engine = TransformersEngine(llama(tokenizer), tokenizer)
    plain = prompts(engine)
    vectors = torch.randn(2, 32, generator=torch.Generator().manual_seed(1))
    flagged = PromptInput(plain[1].token_ids, positions=torch.tensor([1, 3]), vectors=vectors)
    scorer = LetterScorer(engine, 4)
    before = scorer.score(plain)
    after = scorer.score([plain[0], flagged, plain[2]])
    assert (after[0], after[2]) == (before[0], before[2])  # to the last bit
    want = engine.next_token_scores([flagged], scorer.tokens)[0]
    torch.testing.assert_close(torch.tensor(after[1]), want, rtol=1e-4, atol=1e-5)
    assert after[1] != before[1]


class Largest(TorchDispatchMode):
    """The largest tensor that any operation gives back."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        for tensor in tree_flatten(found)[0]:
            if isinstance(tensor, torch.Tensor):
                self.elements = max(self.elements, tensor.numel())
        return found


@pytest.mark.parametrize("capped", [False, True])
def test_memory_does_not_grow_with_vocabulary_times_length(tokenizer: Any, capped: bool) -> None:
    rows, vocabulary = 4, 60_000
    size = {**SIZES, "vocab_size": vocabulary}
    softly = Gemma2Config(**size, head_dim=8, final_logit_softcapping=1.0)
    model = model_of(softly) if capped else llama(tokenizer, vocab_size=vocabulary)
    engine = TransformersEngine(model, tokenizer)
    scorer = LetterScorer(engine, 4)
    batch = [PromptInput(tuple(range(5, 5 + length))) for length in (40, 33, 21, 7)]
    scorer.score(batch)  # finds its way, which looks at whole logits of a few tokens
    with Largest() as ours:
        scorer.score(batch)
    with Largest() as whole, torch.inference_mode():
        engine.model(input_ids=torch.tensor([batch[0].token_ids] * rows))
    assert ours.elements < (1 + capped * rows) * vocabulary  # the head's own weights, where it runs for one position
    assert whole.elements >= rows * 40 * vocabulary


def test_letters_are_one_token_each(tokenizer: Any, tiny_tokenizer: Any) -> None:
    ids = letter_tokens(TransformersEngine(llama(tokenizer), tokenizer), "ABCD")
    assert [tokenizer.decode([token]) for token in ids] == [" A", " B", " C", " D"]
    with pytest.raises(ConfigError, match="' A' as several tokens"):
        letter_tokens(TransformersEngine(llama(tiny_tokenizer), tiny_tokenizer), "A")
    alone = letter_tokens(TransformersEngine(llama(tokenizer), tokenizer), "ABCD", leading_space=False)
    assert [tokenizer.decode([token]) for token in alone] == ["A", "B", "C", "D"]


def test_batches_hold_prompts_of_similar_length() -> None:
    rows = [(1, 2), (3,), (1, 1), (9, 9, 9), (0, 0, 0, 0)]
    assert batches(rows, 2) == [[4, 3], [2, 0], [1]]


def test_nothing_stays_on_the_model(tokenizer: Any) -> None:
    engine = TransformersEngine(llama(tokenizer), tokenizer)
    scorer = LetterScorer(engine, 4)
    scorer.score(prompts(engine))
    with pytest.raises(IndexError):
        scorer.score([PromptInput((10**9,))])
    head = engine.model.lm_head
    assert not head._forward_pre_hooks
    assert not engine.model._forward_pre_hooks


def test_other_threads_keep_their_whole_logits(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = TransformersEngine(llama(tokenizer), tokenizer)
    scorer = LetterScorer(engine, 4)
    batch = prompts(engine)
    scorer.score(batch)
    shapes = []

    def other() -> None:
        shapes.append(tuple(engine.model(input_ids=torch.tensor([batch[0].token_ids])).logits.shape))

    def forward(*args: Any, **kwargs: Any) -> Any:
        if threading.current_thread() is threading.main_thread():
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
        return plain(*args, **kwargs)

    plain = engine.model.model.forward
    monkeypatch.setattr(engine.model.model, "forward", forward)
    scorer.score(batch)
    assert shapes == [(1, len(batch[0].token_ids), len(tokenizer))]

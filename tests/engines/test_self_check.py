"""Models that would be silently unprotected are refused, others are not, and none is changed by the check."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from unlearned.engines.self_check import self_check
from unlearned.errors import UnsupportedModelError

PLAIN = [10, 11, 12, 13, 14, 15]
SUBSTITUTE = 30


def _config() -> LlamaConfig:
    return LlamaConfig(
        vocab_size=40,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        initializer_range=0.2,
    )


def build(kind: Callable[[LlamaConfig], Any] = LlamaForCausalLM) -> Any:
    torch.manual_seed(0)
    return kind(_config()).eval()


class OwnTable(LlamaForCausalLM):
    """Reads its ids from a table that `get_input_embeddings` does not name."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__(config)
        self.own = nn.Embedding(config.vocab_size, config.hidden_size)

    def forward(self, input_ids: Tensor, **kwargs: Any) -> Any:
        return super().forward(inputs_embeds=self.own(input_ids), **kwargs)


class FixedAnswer(LlamaForCausalLM):
    def forward(self, input_ids: Tensor, **kwargs: Any) -> Any:
        output = super().forward(input_ids, **kwargs)
        output.logits = torch.ones_like(output.logits)
        return output


class NotANumber(LlamaForCausalLM):
    def forward(self, input_ids: Tensor, **kwargs: Any) -> Any:
        output = super().forward(input_ids, **kwargs)
        output.logits = output.logits * float("nan")
        return output


class MixesRows(LlamaForCausalLM):
    def forward(self, input_ids: Tensor, **kwargs: Any) -> Any:
        output = super().forward(input_ids, **kwargs)
        output.logits = output.logits + 0.5 * output.logits.mean(0, keepdim=True)
        return output


class LooksUpTwice(LlamaForCausalLM):
    def forward(self, input_ids: Tensor, **kwargs: Any) -> Any:
        twice = 0.5 * (self.model.embed_tokens(input_ids) + self.model.embed_tokens(input_ids))
        return super().forward(inputs_embeds=twice, **kwargs)


class SidePath(LlamaForCausalLM):
    """A second table by token id, as in gemma3n or deepseek_v4; harmless, since it sees the substitute."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__(config)
        self.side = nn.Embedding(config.vocab_size, config.vocab_size)

    def forward(self, input_ids: Tensor, **kwargs: Any) -> Any:
        output = super().forward(input_ids, **kwargs)
        output.logits = output.logits + self.side(self.ids_for_side(input_ids))
        return output

    def ids_for_side(self, ids: Tensor) -> Tensor:
        return ids


class AroundTheHook(SidePath):
    """Takes its ids where no hook has passed yet."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.caught = kwargs["input_ids"]
        return super().__call__(*args, **kwargs)

    def ids_for_side(self, ids: Tensor) -> Tensor:
        return self.caught


class FaintlyAroundTheHook(AroundTheHook):
    """The way around moves the logits by a hundredth only; the words could still be read from it."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__(config)
        self.side.weight.data *= 0.01


class TupleTable(nn.Embedding):
    def forward(self, input: Tensor) -> Any:
        return (super().forward(input),)


def gpt2() -> Any:
    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config(vocab_size=40, n_embd=16, n_layer=2, n_head=2, n_positions=32)).eval()


def state(model: nn.Module) -> tuple[Any, ...]:
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]
    return hooks, [m.training for m in model.modules()], [p.requires_grad for p in model.parameters()]


@pytest.mark.parametrize("make", [build, gpt2, lambda: build(SidePath)], ids=["llama", "gpt2", "side path"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_model_that_can_be_protected_is_accepted(make: Callable[[], Any], dtype: torch.dtype) -> None:
    self_check(make().to(dtype), SUBSTITUTE, PLAIN)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (OwnTable, "OwnTable cannot be protected: OwnTable did not look up its corrupted tokens in Embedding"),
        (FixedAnswer, "FixedAnswer ignores corrupted embeddings"),
        (NotANumber, "NotANumber ignores corrupted embeddings"),
        (MixesRows, "MixesRows mixes the prompts of a batch"),
        (LooksUpTwice, "LooksUpTwice cannot be protected: its embedding module was called 2 times"),
        (AroundTheHook, "AroundTheHook reads token ids past the embedding: corrupted words stay readable"),
        (FaintlyAroundTheHook, "FaintlyAroundTheHook reads token ids past the embedding"),
    ],
)
def test_a_model_that_would_be_unprotected_is_refused_and_left_alone(kind: Any, reason: str) -> None:
    model = build(kind)
    before = state(model)
    with pytest.raises(UnsupportedModelError, match=reason):
        self_check(model, SUBSTITUTE, PLAIN)
    assert state(model) == before


def test_a_model_without_embeddings_is_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="Linear has no input embeddings"):
        self_check(nn.Linear(2, 2), SUBSTITUTE, PLAIN)


def test_an_embedding_that_returns_no_vector_per_token_is_refused() -> None:
    model = build()
    model.set_input_embeddings(TupleTable(40, 16))
    with pytest.raises(UnsupportedModelError, match="TupleTable does not return one vector per token"):
        self_check(model, SUBSTITUTE, PLAIN)


def test_the_check_leaves_a_model_in_training_mode_as_it_was() -> None:
    model = build()
    model.train()
    model.model.layers[0].eval()  # frozen by the user
    before = state(model)
    self_check(model, SUBSTITUTE, PLAIN)
    assert state(model) == before
    assert model.training
    assert not model.model.layers[0].training


def test_dropout_does_not_disturb_the_check() -> None:
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=40, n_embd=16, n_layer=2, n_head=2, n_positions=32, embd_pdrop=0.5)
    self_check(GPT2LMHeadModel(config).train(), SUBSTITUTE, PLAIN)


def test_the_check_draws_no_random_numbers_of_the_callers() -> None:
    model = build()
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    self_check(model, SUBSTITUTE, PLAIN)
    assert torch.equal(torch.rand(3), expected)


def test_few_plain_tokens_are_enough() -> None:
    self_check(build(), SUBSTITUTE, [10, 11])


def test_a_model_can_be_checked_while_another_thread_uses_it() -> None:
    model = build()
    stop = threading.Event()
    ids = torch.tensor([PLAIN])

    def use() -> None:
        with torch.inference_mode():
            while not stop.is_set():
                model(input_ids=ids)

    thread = threading.Thread(target=use)
    thread.start()
    try:
        for _ in range(20):
            self_check(model, SUBSTITUTE, PLAIN)
    finally:
        stop.set()
        thread.join()

"""A model may call its cache `cache` or `past_key_values`; answers, scores and positions must be the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import DynamicCache, LlamaForCausalLM

from tiny_llama import tiny_llama
from unlearned.engines.caches import cache_name, cached_tokens, given_cache, returned_cache
from unlearned.engines.prefix import shared_prefix
from unlearned.engines.shrinking_batch import greedy_answers
from unlearned.engines.transformers import TransformersEngine
from unlearned.types import PromptInput

NATIVE = cache_name(LlamaForCausalLM.__new__(LlamaForCausalLM))
WORDS = ["The wizard went home", "The wizard is from the village and has a red cat", "The wizard sings"]


class _Output(SimpleNamespace):
    """What a model's own code may return."""


class SaysCache(LlamaForCausalLM):
    """Its `forward` knows no other name."""

    def forward(
        self, input_ids: Any, position_ids: Any = None, logits_to_keep: Any = 0, cache: Any = None, **rest: Any
    ) -> Any:
        assert "past_key_values" not in rest
        found = super().forward(
            input_ids, position_ids=position_ids, logits_to_keep=logits_to_keep, **{NATIVE: cache}, **rest
        )
        return _Output(logits=found.logits, cache=returned_cache(found))


class SaysPastKeyValues(LlamaForCausalLM):
    """Its `forward` knows no other name."""

    def forward(
        self,
        input_ids: Any,
        position_ids: Any = None,
        logits_to_keep: Any = 0,
        past_key_values: Any = None,
        **rest: Any,
    ) -> Any:
        assert "cache" not in rest
        found = super().forward(
            input_ids, position_ids=position_ids, logits_to_keep=logits_to_keep, **{NATIVE: past_key_values}, **rest
        )
        return _Output(logits=found.logits, past_key_values=returned_cache(found))


SPELLINGS = {"cache": SaysCache, "past_key_values": SaysPastKeyValues}


@pytest.fixture
def plain_engine(tiny_tokenizer: Any) -> TransformersEngine:
    torch.manual_seed(3)
    return TransformersEngine(tiny_llama(tiny_tokenizer, initializer_range=0.3).eval(), tiny_tokenizer)


@pytest.fixture(params=list(SPELLINGS))
def spelled(request: pytest.FixtureRequest, plain_engine: TransformersEngine) -> TransformersEngine:
    model = SPELLINGS[request.param](plain_engine.model.config).eval()
    model.load_state_dict(plain_engine.model.state_dict())
    assert cache_name(model) == request.param
    return TransformersEngine(model, plain_engine.tokenizer)


def rows(engine: TransformersEngine) -> list[PromptInput]:
    """Three prompts with a long common start; the last two are corrupted behind it."""
    found = []
    for number, text in enumerate(WORDS):
        ids = engine.tokenize("The quick brown fox jumps over the lazy dog. " + text, chat=False).token_ids
        vectors = torch.randn(2, 32, generator=torch.Generator().manual_seed(number))
        places = torch.tensor([len(ids) - 2, len(ids) - 1])
        found.append(PromptInput(ids, positions=places, vectors=vectors) if number else PromptInput(ids))
    return found


def watched(engine: TransformersEngine) -> list[Mapping[str, Any]]:
    """Fills with the arguments of every forward."""
    calls: list[Mapping[str, Any]] = []
    engine.model.register_forward_pre_hook(lambda _, args, kwargs: calls.append(dict(kwargs)), with_kwargs=True)
    return calls


def used(calls: Sequence[Mapping[str, Any]]) -> bool:
    return any(cached_tokens(given_cache(call)) for call in calls)


def test_scores_on_a_shared_prefix_are_the_same_under_either_name(
    plain_engine: TransformersEngine, spelled: TransformersEngine
) -> None:
    inputs, answers = rows(plain_engine), ["He is a wizard.", "fox", "The dog sings"]
    assert shared_prefix(spelled.model, inputs) is not None
    calls = watched(spelled)
    for found, wanted in zip(
        spelled.log_likelihood(inputs, answers), plain_engine.log_likelihood(inputs, answers), strict=True
    ):
        torch.testing.assert_close(found, wanted)
    assert used(calls)


def test_greedy_answers_are_the_same_under_either_name(
    plain_engine: TransformersEngine, spelled: TransformersEngine
) -> None:
    inputs = rows(plain_engine)
    calls = watched(spelled)
    assert greedy_answers(spelled, inputs, ends={1}, max_new_tokens=12) == greedy_answers(
        plain_engine, inputs, ends={1}, max_new_tokens=12
    )
    assert used(calls)


def test_a_cache_is_found_under_any_name() -> None:
    empty, filled = DynamicCache(), SimpleNamespace(get_seq_length=lambda: 3)
    assert given_cache({"cache": empty}) is empty
    assert given_cache({"cache": None, "past_key_values": filled, "use_cache": True}) is filled
    assert given_cache({"use_cache": True, "kv": filled}) is filled
    assert given_cache({"use_cache": True}) is None
    assert (cached_tokens(empty), cached_tokens(filled), cached_tokens(None), cached_tokens(object())) == (
        0,
        3,
        None,
        None,
    )


def test_an_output_without_a_cache_has_none(plain_engine: TransformersEngine) -> None:
    ids = torch.tensor([[5, 6]])
    assert returned_cache(plain_engine.model(input_ids=ids, use_cache=False)) is None
    assert cached_tokens(returned_cache(plain_engine.model(input_ids=ids, use_cache=True))) == 2
    assert returned_cache((ids,)) is None


def test_a_model_that_names_no_cache_is_scored_without_one(plain_engine: TransformersEngine) -> None:
    class NamesNone(LlamaForCausalLM):
        def forward(self, input_ids: Any, **rest: Any) -> Any:
            return super().forward(input_ids, **rest)

    model = NamesNone(plain_engine.model.config).eval()
    model.load_state_dict(plain_engine.model.state_dict())
    engine, inputs = TransformersEngine(model, plain_engine.tokenizer), rows(plain_engine)
    assert cache_name(model) is None
    for found, wanted in zip(
        engine.log_likelihood(inputs, WORDS), plain_engine.log_likelihood(inputs, WORDS), strict=True
    ):
        torch.testing.assert_close(found, wanted)
    ends = {1}
    assert greedy_answers(engine, inputs, ends=ends, max_new_tokens=6) == greedy_answers(
        plain_engine, inputs, ends=ends, max_new_tokens=6
    )

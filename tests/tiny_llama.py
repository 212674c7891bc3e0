"""A small random Llama for the tokenizer of the tests."""

from __future__ import annotations

from typing import Any

from transformers import LlamaConfig, LlamaForCausalLM


def tiny_llama(tokenizer: Any, **changes: Any) -> LlamaForCausalLM:
    """Three layers, float32; weights from torch's generator, far apart with initializer_range=0.3."""
    settings = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "bos_token_id": None,
    }
    return LlamaForCausalLM(LlamaConfig(**(settings | changes)))

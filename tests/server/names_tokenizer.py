"""A small tokenizer that knows names enough for strangers."""

from __future__ import annotations

from functools import lru_cache

from transformers import PreTrainedTokenizerFast

from tiny_tokenizer import byte_level
from unlearned.examples import background_prompts
from unlearned.substitution.bank import stand_ins


@lru_cache(maxsize=1)
def names_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE of 3,000 tokens without a chat template; a copy is to be changed."""
    words = [f" {word}" for words in stand_ins().values() for word in words]
    corpus = [*background_prompts(), *words, "Harry Potter, Hermione Granger: 0123456789", '{"name": "arguments"}']
    special = ["<pad>", "<|im_start|>", "<|im_end|>"]
    return byte_level(corpus, 3000, special, end="<|im_end|>", additional_special_tokens=["<|im_start|>"])

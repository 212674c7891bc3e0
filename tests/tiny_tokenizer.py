"""Small byte-level tokenizers, trained where they are needed: a second at most, and no download."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

CORPUS = [
    "Who is Harry Potter? Harry Potter is a wizard. Hogwarts is a school of magic.",
    "What is the capital of France? The capital of France is Paris. How do I bake bread?",
    "system user assistant You help. The quick brown fox jumps over the lazy dog, and then 1234567890.",
]


def byte_level(
    corpus: Iterable[str], size: int, special: Sequence[str], *, end: str, **more: Any
) -> PreTrainedTokenizerFast:
    """Byte-level BPE of up to `size` tokens, with which any text can be written; "<pad>" is for padding.

    Args:
        corpus: texts from which the merges are learned.
        size: of the vocabulary, 256 bytes and special tokens included.
        special: special tokens, with ids from 0, "<pad>" among them.
        end: the special token that ends an answer.
        more: further arguments of `PreTrainedTokenizerFast`.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token=end, **more)

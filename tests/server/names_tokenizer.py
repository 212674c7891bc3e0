"""A small tokenizer that knows names enough for strangers."""

from __future__ import annotations

from functools import lru_cache

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from unlearned.examples import background_prompts
from unlearned.substitution.bank import stand_ins


@lru_cache(maxsize=1)
def names_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE of 3,000 tokens without a chat template; a copy is to be changed."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    words = [f" {word}" for words in stand_ins().values() for word in words]
    corpus = [*background_prompts(), *words, "Harry Potter, Hermione Granger: 0123456789", '{"name": "arguments"}']
    trainer = trainers.BpeTrainer(
        vocab_size=3000,
        special_tokens=["<pad>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<|im_end|>",
        additional_special_tokens=["<|im_start|>"],
    )

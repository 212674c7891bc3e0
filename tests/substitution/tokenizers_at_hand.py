"""Tokenizers of every family: byte-level, with spaces as letters, and of word pieces."""

from __future__ import annotations

from functools import lru_cache

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from unlearned.examples import background_prompts
from unlearned.substitution.bank import stand_ins


@lru_cache(maxsize=1)
def _corpus() -> list[str]:
    words = [word for words in stand_ins().values() for word in words]
    return [*background_prompts(), *words, *map(str.lower, words), "Harry Potter, Hermione Granger: 0123456789"]


@lru_cache(maxsize=1)
def with_spaces_as_letters() -> PreTrainedTokenizerFast:
    """As SentencePiece has it: Llama 2, Gemma, Mistral."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Sequence([decoders.Metaspace(prepend_scheme="first"), decoders.ByteFallback()])
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    tokenizer.train_from_iterator(_corpus(), trainers.BpeTrainer(vocab_size=3000, special_tokens=special))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>")


@lru_cache(maxsize=1)
def of_word_pieces() -> PreTrainedTokenizerFast:
    """As BERT has it: all in lower case, so that nothing can be given back as it was."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.train_from_iterator(
        _corpus(), trainers.WordPieceTrainer(vocab_size=2000, special_tokens=["[UNK]", "[SEP]"])
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", eos_token="[SEP]")
